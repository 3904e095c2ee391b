#pragma once
// What the tests of FrameSource and Delivery share: a reader from standard input to standard output, both of
// them pipes, without a file and without a socket.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <asio/io_context.hpp>
#include <string>
#include <string_view>
#include <vector>
#include <zmq.hpp>

#include "tests/unit/ws-reader/scripted_adapter.hpp"
#include "ws-reader/delivery.hpp"
#include "ws-reader/frame_source.hpp"

namespace mdpipe::reader {

class Pipe {
 public:
  Pipe() { EXPECT_EQ(pipe2(ends_.data(), O_CLOEXEC | O_NONBLOCK), 0); }
  ~Pipe() {
    close_reader();
    close_writer();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  [[nodiscard]] int reader() const { return ends_[0]; }
  [[nodiscard]] int writer() const { return ends_[1]; }
  void write(std::string_view bytes) const {
    ASSERT_EQ(::write(ends_[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  // The whole lines in the pipe now.
  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> out;
    std::string line;
    for (char c = 0; ::read(ends_[0], &c, 1) == 1;) {
      if (c != '\n') {
        line.push_back(c);
        continue;
      }
      out.push_back(std::exchange(line, {}));
    }
    return out;
  }
  void close_reader() { close_end(0); }
  void close_writer() { close_end(1); }

 private:
  void close_end(std::size_t end) {
    if (ends_[end] >= 0) ::close(ends_[end]);
    ends_[end] = -1;
  }
  std::array<int, 2> ends_{-1, -1};
};

class FilterTest : public testing::Test {
 protected:
  static Config filter_config() {
    Config config;
    config.exchange = config.source = "test";
    config.from_stdin = config.to_stdout = true;
    config.books = "raw";
    return config;
  }
  // Runs every handler that is ready.
  void poll() {
    io.restart();
    io.poll();
  }
  void make_source() {
    source.emplace(
        io, FrameSource::Parts{config, adapter, pipeline, delivery, reader_metrics, nullptr, input.reader()},
        SourceCallbacks{[this](const std::string& status) { said.push_back(status); },
                        {},
                        [this] { said.emplace_back("end"); },
                        {}});
  }

  asio::io_context io{1};
  zmq::context_t zmq;
  Pipe input, output;
  Config config = filter_config();          // of the source; a test may change it before make_source()
  const Config delivers = filter_config();  // of the delivery
  ScriptedAdapter adapter;
  metrics::MetricsCollector collector{{"ws-reader", "test", "test", true, 100}};
  ReaderMetrics reader_metrics{collector, "test", {}};
  std::vector<std::string> said;
  Delivery delivery{io,
                    {delivers, adapter.profile(), collector, reader_metrics, zmq, output.writer()},
                    DeliveryCallbacks{{}, {}, {}, {}, {}, [this] { said.emplace_back("output closed"); }}};
  Pipeline pipeline{{adapter, reader_metrics, delivery.writer()}, {}};
  std::optional<FrameSource> source;
};

}  // namespace mdpipe::reader
