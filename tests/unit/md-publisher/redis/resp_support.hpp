#pragma once
// Commands and replies as tests write and read them, through hiredis, which knows nothing of how they were
// made.
#include <gtest/gtest.h>
#include <hiredis/hiredis.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "md-publisher/redis/reply_reader.hpp"

namespace mdpipe::publisher {

using Words = std::vector<std::string>;

// An entry with the field k and the value v: two words.
inline constexpr const char* kBody = "$1\r\nk\r\n$1\r\nv\r\n";

inline std::vector<Words> read_commands(const std::string& bytes) {
  const std::unique_ptr<redisReader, decltype(&redisReaderFree)> reader(redisReaderCreate(), redisReaderFree);
  redisReaderFeed(reader.get(), bytes.data(), bytes.size());
  std::vector<Words> commands;
  for (;;) {
    void* object = nullptr;
    if (redisReaderGetReply(reader.get(), &object) != REDIS_OK) throw std::runtime_error(reader->errstr);
    if (object == nullptr) break;
    const std::unique_ptr<void, decltype(&freeReplyObject)> guard(object, freeReplyObject);
    const auto* reply = static_cast<redisReply*>(object);
    Words& words = commands.emplace_back();
    for (std::size_t i = 0; i < reply->elements; ++i) {
      words.emplace_back(reply->element[i]->str, static_cast<std::size_t>(reply->element[i]->len));
    }
  }
  return commands;
}

// What Redis answers, as our reader reads it.
inline Reply reply_of(const std::string& bytes) {
  ReplyReader reader;
  reader.feed(bytes);
  EXPECT_EQ(reader.next(), ReplyReader::Next::Reply);
  return reader.reply();
}

}  // namespace mdpipe::publisher
