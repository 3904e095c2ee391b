#pragma once
// The form of a page for a client: the best match for its Accept and Accept-Encoding headers (RFC
// 9110, 12.5). Pure.
#include <string_view>

namespace mdpipe::agent {

enum class TextFormat { Prometheus, OpenMetrics001, OpenMetrics100 };
inline constexpr std::size_t kTextFormats = 3;

struct PageForm {
  TextFormat format = TextFormat::Prometheus;
  bool gzip = false;
};

// The format of the highest quality; among equals the newest. Prometheus's text format if the client accepts
// none of ours.
TextFormat negotiate_format(std::string_view accept);
// "gzip" with a quality above 0 in an Accept-Encoding header.
bool accepts_gzip(std::string_view accept_encoding);

std::string_view content_type(TextFormat format);

}  // namespace mdpipe::agent
