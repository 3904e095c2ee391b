#pragma once
// Redis's replies, read by hiredis from bytes that arrive in any pieces, into one Reply whose memory is
// reused: no allocation for each of the thousands of replies a second.
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libshared/process/burst_memory.hpp"

struct redisReader;

namespace mdpipe::publisher {

struct Reply {
  enum class Type { Status, Error, Integer, Nil, String, Array };
  struct Element {
    Type type = Type::Nil;
    std::string text;  // of a string, status or error
    long long integer = 0;
  };

  Type type = Type::Nil;
  std::string text;
  long long integer = 0;
  std::size_t element_count = 0;  // of an array; what is nested deeper is not kept
  std::vector<Element> elements;  // at least element_count of them

  [[nodiscard]] bool is_error() const { return type == Type::Error; }
};

class ReplyReader {
 public:
  ReplyReader();
  ~ReplyReader();
  ReplyReader(const ReplyReader&) = delete;
  ReplyReader& operator=(const ReplyReader&) = delete;

  void feed(std::string_view bytes);

  enum class Next { Reply, NeedMore, Broken };
  // Reads the next whole reply, valid until the next call. Broken: the bytes are no Redis protocol, see
  // error().
  Next next();

  [[nodiscard]] const Reply& reply() const { return reply_; }
  [[nodiscard]] std::string error() const;
  void reset();

 private:
  struct Deleter {
    void operator()(redisReader* reader) const;
  };
  std::unique_ptr<redisReader, Deleter> reader_;
  Reply reply_;
  bool is_shown_ = false;       // the reply is whole, and the caller has seen it
  process::BurstMemory burst_;  // of the reply's elements
};

}  // namespace mdpipe::publisher
