#include "metrics-agent/http/family_writer.hpp"

#include <prometheus/text_serializer.h>

#include <ostream>
#include <streambuf>

namespace mdpipe::agent {
namespace {

// prometheus-cpp writes to a stream; this one is the page's text.
class StringBuffer final : public std::streambuf {
 public:
  explicit StringBuffer(std::string& out) : out_(out) {}

 private:
  int_type overflow(int_type c) override {
    if (!traits_type::eq_int_type(c, traits_type::eof())) out_.push_back(traits_type::to_char_type(c));
    return traits_type::not_eof(c);
  }
  std::streamsize xsputn(const char* text, std::streamsize bytes) override {
    out_.append(text, static_cast<std::size_t>(bytes));
    return bytes;
  }

  std::string& out_;
};

}  // namespace

FamilyWriter::FamilyWriter(std::string& out, std::string_view name, prometheus::MetricType type,
                           std::string_view help)
    : out_(out), family_{std::string(name), std::string(help), type, {}} {}

FamilyWriter::~FamilyWriter() {
  if (family_.metric.empty()) return;
  StringBuffer buffer(out_);
  std::ostream stream(&buffer);
  prometheus::TextSerializer().Serialize(stream, {std::move(family_)});
}

}  // namespace mdpipe::agent
