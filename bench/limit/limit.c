// The most that this machine could do: reads the feed's WebSocket frames and writes one XADD of fixed fields
// for each frame through hiredis. Of a frame it looks only at the kind. It reads many frames at once, writes
// many commands at once, and has a bounded number of answers outstanding. It leaves out the work of a
// collector (parsing, numbering, metrics, keeping events until they are confirmed), so no collector can be
// faster.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  kReadBytes = 256 << 10,
  kHeaderBytesMax = 10,  // RFC 6455, 5.2: of a server's frame
  kKindAt = 12,          // {"channel":"trades", "ticker", "orderbooks": the first letters differ
  kPeekBytes = kHeaderBytesMax + kKindAt + 2,
  kOutstandingMax = 8192,      // commands without an answer
  kCommandBytesMax = 1 << 20,  // waiting to be written
};

enum { kTrade, kTicker, kBook, kKinds };

struct command {
  char* text;
  size_t size;
};

struct limit {
  int feed;
  redisContext* redis;
  struct command commands[kKinds];
  char* buffer;
  size_t filled;
  size_t skip;  // bytes of the present frame still to come
  size_t outstanding;
  uint64_t entries;
};

static void fail(const char* what) {
  (void)fprintf(stderr, "bench-limit: %s: %s\n", what, errno != 0 ? strerror(errno) : "failed");
  exit(69);
}

static int connect_to(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (struct sockaddr*)&address, sizeof address) != 0) fail("connecting");
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

static void write_all(int fd, const char* bytes, size_t size) {
  while (size > 0) {
    const ssize_t sent = write(fd, bytes, size);
    if (sent <= 0) fail("writing to the feed");
    bytes += sent;
    size -= (size_t)sent;
  }
}

// The upgrade, and one subscription, which starts the feed. Keeps the bytes after the upgrade's answer.
static void subscribe(struct limit* limit) {
  static const char upgrade[] =
      "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
  static const char request[] = "{\"command\":\"subscribe\",\"channel\":\"ticker\",\"symbol\":\"BTC_JPY\"}";
  write_all(limit->feed, upgrade, sizeof upgrade - 1);
  char* end = NULL;
  while (end == NULL) {
    const ssize_t got = read(limit->feed, limit->buffer + limit->filled, kReadBytes - 1 - limit->filled);
    if (got <= 0) fail("upgrading");
    limit->filled += (size_t)got;
    limit->buffer[limit->filled] = '\0';
    end = strstr(limit->buffer, "\r\n\r\n");
  }
  limit->filled -= (size_t)(end + 4 - limit->buffer);
  memmove(limit->buffer, end + 4, limit->filled);
  const char header[] = {(char)0x81, (char)(0x80 | (sizeof request - 1)), 0, 0, 0, 0};  // a mask of zeros
  write_all(limit->feed, header, sizeof header);
  write_all(limit->feed, request, sizeof request - 1);
}

static char* levels(int depth) {
  const size_t size = (size_t)depth * 24 + 3;
  char* text = malloc(size);
  if (text == NULL) fail("memory");
  size_t at = 0;
  text[at++] = '[';
  for (int i = 0; i < depth; ++i)
    at += (size_t)snprintf(text + at, size - at, "%s[\"13500000\",\"0.0%03d\"]", i == 0 ? "" : ",", i % 1000);
  text[at++] = ']';
  text[at] = '\0';
  return text;
}

static struct command xadd(const char* stream, const char* maxlen, int words, const char** fields) {
  const char* front[] = {"XADD",     stream,
                         "MAXLEN",   "~",
                         maxlen,     "*",
                         "type",     stream + 3,
                         "exchange", "gmo",
                         "symbol",   "BTC_JPY",
                         "ts",       "1790000000000000000",
                         "recv",     "1790000000000000000",
                         "seq",      "1000000"};
  enum { kFront = sizeof front / sizeof *front };
  const char* argv[kFront + 16];
  memcpy(argv, front, sizeof front);
  memcpy(argv + kFront, fields, (size_t)words * sizeof *fields);
  char* text = NULL;
  const int size = redisFormatCommandArgv(&text, kFront + words, argv, NULL);
  if (size < 0) fail("formatting");
  return (struct command){text, (size_t)size};
}

static void make_commands(struct limit* limit, int depth, const char* maxlen, const char* maxlen_book) {
  const char* trade[] = {"price", "13500000", "size", "0.0123", "side", "buy"};
  const char* ticker[] = {"bid",  "13499990", "ask", "13500010", "last",   "13500000",
                          "high", "13590000", "low", "13420000", "volume", "1234.5678"};
  char* side = levels(depth);
  const char* book[] = {"kind", "snapshot", "bids", side, "asks", side};
  limit->commands[kTrade] = xadd("md:trade", maxlen, 6, trade);
  limit->commands[kTicker] = xadd("md:ticker", maxlen, 12, ticker);
  limit->commands[kBook] = xadd("md:orderbook", maxlen_book, 6, book);
  free(side);
}

static void add(struct limit* limit, const char* payload) {
  const int kind = payload[kKindAt] == 'o' ? kBook : payload[kKindAt + 1] == 'r' ? kTrade : kTicker;
  const struct command* command = &limit->commands[kind];
  if (redisAppendFormattedCommand(limit->redis, command->text, command->size) != REDIS_OK) fail("appending");
  ++limit->outstanding;
  ++limit->entries;
}

// Takes one frame from the front of the buffer. Returns its size there, 0 if more bytes are needed.
static size_t take_frame(struct limit* limit, const unsigned char* bytes, size_t size) {
  if (size < kPeekBytes) return 0;
  size_t payload = bytes[1], header = 2;
  if (payload == 126) {
    payload = (size_t)bytes[2] << 8 | bytes[3];
    header = 4;
  } else if (payload == 127) {
    payload = 0;
    for (int i = 2; i < kHeaderBytesMax; ++i) payload = payload << 8 | bytes[i];
    header = kHeaderBytesMax;
  }
  if ((bytes[0] & 0x0f) == 1) add(limit, (const char*)bytes + header);
  const size_t frame = header + payload;
  if (frame <= size) return frame;
  limit->skip = frame - size;
  return size;
}

// False at the end of the feed.
static bool read_feed(struct limit* limit) {
  const ssize_t got = read(limit->feed, limit->buffer + limit->filled, kReadBytes - limit->filled);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  limit->filled += (size_t)got;
  size_t at = limit->skip < limit->filled ? limit->skip : limit->filled;
  limit->skip -= at;
  while (at < limit->filled) {
    const size_t used = take_frame(limit, (unsigned char*)limit->buffer + at, limit->filled - at);
    if (used == 0) break;
    at += used;
  }
  limit->filled -= at;
  memmove(limit->buffer, limit->buffer + at, limit->filled);
  return true;
}

static void read_answers(struct limit* limit) {
  if (redisBufferRead(limit->redis) != REDIS_OK) fail("reading from Redis");
  for (;;) {
    void* reply = NULL;
    if (redisGetReplyFromReader(limit->redis, &reply) != REDIS_OK) fail("reading an answer");
    if (reply == NULL) return;
    // Without reply functions the reader returns only the kind of an answer.
    if ((uintptr_t)reply == REDIS_REPLY_ERROR) fail("an answer of Redis");
    --limit->outstanding;
  }
}

static void run(struct limit* limit) {
  bool at_end = false;
  while (!at_end || limit->outstanding > 0) {
    const bool full = limit->outstanding >= kOutstandingMax || sdslen(limit->redis->obuf) >= kCommandBytesMax;
    const bool to_write = sdslen(limit->redis->obuf) > 0;
    struct pollfd fds[] = {{full || at_end ? -1 : limit->feed, POLLIN, 0},
                           {limit->redis->fd, (short)(POLLIN | (to_write ? POLLOUT : 0)), 0}};
    if (poll(fds, 2, -1) < 0 && errno != EINTR) fail("polling");
    if (fds[1].revents & (POLLIN | POLLHUP)) read_answers(limit);
    if (fds[0].revents != 0) at_end = !read_feed(limit);
    int done = 0;
    if (sdslen(limit->redis->obuf) > 0 && redisBufferWrite(limit->redis, &done) != REDIS_OK)
      fail("writing to Redis");
  }
}

int main(int argc, char** argv) {
  if (argc != 6) {
    (void)fprintf(stderr, "usage: bench-limit FEED-PORT REDIS-PORT DEPTH MAXLEN MAXLEN-OF-BOOKS\n");
    return 64;
  }
  struct limit limit = {.feed = connect_to(atoi(argv[1])), .buffer = malloc(kReadBytes)};
  limit.redis = redisConnect("127.0.0.1", atoi(argv[2]));
  if (limit.buffer == NULL || limit.redis == NULL || limit.redis->err != 0) fail("connecting to Redis");
  make_commands(&limit, atoi(argv[3]), argv[4], argv[5]);
  subscribe(&limit);
  fcntl(limit.feed, F_SETFL, O_NONBLOCK);
  fcntl(limit.redis->fd, F_SETFL, O_NONBLOCK);
  limit.redis->flags &= ~REDIS_BLOCK;
  limit.redis->reader->fn = NULL;
  run(&limit);
  for (int kind = 0; kind < kKinds; ++kind) redisFreeCommand(limit.commands[kind].text);
  redisFree(limit.redis);
  free(limit.buffer);
  (void)fprintf(stderr, "%llu entries\n", (unsigned long long)limit.entries);
  return 0;
}
