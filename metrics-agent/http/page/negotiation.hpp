#pragma once
// Which form of a page a client is given: what its Accept and Accept-Encoding headers ask for, as far as it
// is had (RFC 9110, 12.5). Pure.
#include <string_view>

namespace mdpipe::agent {

enum class TextFormat { Prometheus, OpenMetrics001, OpenMetrics100 };
inline constexpr std::size_t kTextFormats = 3;

struct PageForm {
  TextFormat format = TextFormat::Prometheus;
  bool gzip = false;
};

// The format of the highest quality; of equal ones the newest. Prometheus' own text where nothing we have is
// asked for.
TextFormat negotiate_format(std::string_view accept);
// "gzip" with a quality above 0 in an Accept-Encoding header.
bool accepts_gzip(std::string_view accept_encoding);

std::string_view content_type(TextFormat format);

}  // namespace mdpipe::agent
