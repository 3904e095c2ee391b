#pragma once
// Prometheus' text format 0.0.4, written straight into one string: a page of tens of thousands of series
// takes no more memory than its text. What is written, and under which names, is exposition's business.
// https://prometheus.io/docs/instrumenting/exposition_formats/ (read 2026-11-25)
#include <cstdint>
#include <string>
#include <string_view>

namespace mdpipe::agent {

class FamilyWriter {
 public:
  // Appends to `out`, which is borrowed. The family's head is written with its first sample, so one without
  // samples leaves no trace. The views are borrowed too.
  struct Head {
    std::string_view name, type, help;
  };
  FamilyWriter(std::string& out, Head head) : out_(out), head_(head) {}

  // `labels` as label_text() makes them, empty where there are none; `suffix` as "_count".
  void sample(std::string_view labels, double value, std::string_view suffix = {});
  void sample(std::string_view labels, std::uint64_t value, std::string_view suffix = {});

 private:
  void begin(std::string_view labels, std::string_view suffix);

  std::string& out_;
  Head head_;
  bool has_samples_ = false;
};

// Appends name="value", behind a comma where something stands before it; the value is escaped.
void append_label(std::string_view name, std::string_view value, std::string& labels);

}  // namespace mdpipe::agent
