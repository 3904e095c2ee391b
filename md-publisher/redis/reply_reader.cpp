#include "md-publisher/redis/reply_reader.hpp"

#include <hiredis/hiredis.h>
#include <hiredis/read.h>

#include <utility>

namespace mdpipe::publisher {
namespace {

// hiredis only asks whether an object pointer is null; ours all live in the one Reply.
Reply& target(const redisReadTask* task) { return *static_cast<Reply*>(task->privdata); }

Reply::Type type_of(int redis_type) {
  switch (redis_type) {
    case REDIS_REPLY_STATUS:
      return Reply::Type::Status;
    case REDIS_REPLY_ERROR:
      return Reply::Type::Error;
    default:
      return Reply::Type::String;
  }
}

// The element a nested task fills, or null if it lies too deep to be stored.
Reply::Element* element(const redisReadTask* task) {
  if (task->parent->parent != nullptr) return nullptr;
  auto& elements = target(task).elements;
  const auto index = static_cast<std::size_t>(task->idx);
  if (index >= elements.size()) elements.resize(index + 1);  // as they come: a count alone takes no memory
  return &elements[index];
}

void* create_string(const redisReadTask* task, char* text, std::size_t bytes) {
  Reply& reply = target(task);
  if (task->parent == nullptr) {
    reply.type = type_of(task->type);
    reply.text.assign(text, bytes);
  } else if (Reply::Element* found = element(task)) {
    found->type = type_of(task->type);
    found->text.assign(text, bytes);
  }
  return &reply;
}

void* create_array(const redisReadTask* task, int count) {
  Reply& reply = target(task);
  const auto size = static_cast<std::size_t>(count < 0 ? 0 : count);
  if (task->parent == nullptr) {
    reply.type = Reply::Type::Array;
    reply.element_count = size;
  } else if (Reply::Element* found = element(task)) {
    found->type = Reply::Type::Array;
    found->text.clear();
  }
  return &reply;
}

void* create_integer(const redisReadTask* task, long long value) {
  Reply& reply = target(task);
  if (task->parent == nullptr) {
    reply.type = Reply::Type::Integer;
    reply.integer = value;
  } else if (Reply::Element* found = element(task)) {
    found->type = Reply::Type::Integer;
    found->text.clear();
    found->integer = value;
  }
  return &reply;
}

void* create_nil(const redisReadTask* task) {
  Reply& reply = target(task);
  if (task->parent == nullptr) {
    reply.type = Reply::Type::Nil;
  } else if (Reply::Element* found = element(task)) {
    found->type = Reply::Type::Nil;
    found->text.clear();
  }
  return &reply;
}

void free_object(void*) {}

redisReplyObjectFunctions kFunctions = {create_string, create_array, create_integer, create_nil, free_object};

}  // namespace

void ReplyReader::Deleter::operator()(redisReader* reader) const { redisReaderFree(reader); }

ReplyReader::ReplyReader() { reset(); }
ReplyReader::~ReplyReader() = default;

void ReplyReader::reset() {
  reader_.reset(redisReaderCreateWithFunctions(&kFunctions));
  if (!reader_) throw std::bad_alloc();
  reader_->privdata = &reply_;
}

void ReplyReader::feed(std::string_view bytes) { redisReaderFeed(reader_.get(), bytes.data(), bytes.size()); }

ReplyReader::Next ReplyReader::next() {
  auto& elements = reply_.elements;
  if (std::exchange(is_shown_, false) && reply_.type == Reply::Type::Array &&
      burst_.is_over(reply_.element_count * sizeof(Reply::Element), elements.size() * sizeof(Reply::Element)))
    std::vector<Reply::Element>().swap(elements);
  void* object = nullptr;
  if (redisReaderGetReply(reader_.get(), &object) != REDIS_OK) return Next::Broken;
  is_shown_ = object != nullptr;
  return is_shown_ ? Next::Reply : Next::NeedMore;
}

std::string ReplyReader::error() const { return reader_->errstr; }

}  // namespace mdpipe::publisher
