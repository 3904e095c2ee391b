#include "bench/feed/frame_pool.hpp"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <random>

#include "libshared/text/format.hpp"

namespace mdpipe::bench {
namespace {

// Enough frames to differ, and few enough to stay in the processor's cache, like frames that have just
// arrived.
constexpr std::size_t kFramesMin = 4096;
constexpr std::size_t kFramesPerSymbol = 16;
constexpr std::size_t kBytesMax = 96U << 20U;
constexpr std::string_view kTimestampSpace = "0000-00-00T00:00:00.000Z";

struct Market {
  std::string symbol;
  std::int64_t price = 0;  // JPY
};

// Renders one frame's JSON; the sources of the shapes are GMO Coin's document and recorded frames.
class Renderer {
 public:
  explicit Renderer(const Options& options) : levels_(options.depth) {
    constexpr std::size_t kLevelBytes = 36;  // {"price":"13494275","size":"0.0123"},
    if (options.frame_bytes > 0) levels_ = std::max<std::size_t>(1, options.frame_bytes / (2 * kLevelBytes));
    std::int64_t price = 13'500'000;
    for (const std::string& symbol : options.symbols) {
      markets_.push_back({symbol, price});
      price = std::max<std::int64_t>(100'000, price * 7 / 8);
    }
  }

  // One symbol after the other, so that each is there even if there are few frames.
  std::string_view render(FrameKind kind, std::size_t turn) {
    Market& market = markets_[turn % markets_.size()];
    market.price += between(-20, 20);
    text_.clear();
    if (kind == FrameKind::Trade) render_trade(market);
    if (kind == FrameKind::Ticker) render_ticker(market);
    if (kind == FrameKind::Book) render_book(market);
    return text_;
  }

  FrameKind pick(const Mix& mix) {
    const auto draw = static_cast<unsigned>(between(0, 99));
    if (draw < mix.trades) return FrameKind::Trade;
    return draw < mix.trades + mix.tickers ? FrameKind::Ticker : FrameKind::Book;
  }

 private:
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
  }
  template <typename... Arguments>
  void add(fmt::format_string<Arguments...> format, const Arguments&... arguments) {
    append_format(text_, format, arguments...);
  }

  void render_trade(const Market& market) {
    add(R"({{"channel":"trades","price":"{}","side":"{}","size":"0.{:04}","timestamp":"{}","symbol":"{}"}})",
        market.price, between(0, 1) == 0 ? "BUY" : "SELL", between(1, 9999), kTimestampSpace, market.symbol);
  }
  void render_ticker(const Market& market) {
    add(R"({{"channel":"ticker","ask":"{}","bid":"{}","high":"{}","last":"{}","low":"{}","symbol":"{}",)",
        market.price + between(1, 30), market.price - between(1, 30), market.price + 90'000, market.price,
        market.price - 80'000, market.symbol);
    add(R"("timestamp":"{}","volume":"{}.{:04}"}})", kTimestampSpace, between(100, 9999), between(0, 9999));
  }
  void render_book(const Market& market) {
    text_ += R"({"channel":"orderbooks","asks":[)";
    render_side(market.price, 1);
    text_ += R"(],"bids":[)";
    render_side(market.price, -1);
    add(R"(],"symbol":"{}","timestamp":"{}","grouping":"1"}})", market.symbol, kTimestampSpace);
  }
  // A bid needs a price above 0, however many levels there are.
  void render_side(std::int64_t price, std::int64_t direction) {
    const std::int64_t step_max =
        std::clamp<std::int64_t>(price / static_cast<std::int64_t>(2 * levels_ + 1), 1, 900);
    for (std::size_t level = 0; level < levels_; ++level) {
      price += direction * between(1, step_max);
      add(R"({}{{"price":"{}","size":"0.{:04}"}})", level == 0 ? "" : ",", price, between(1, 9999));
    }
  }

  std::size_t levels_;
  std::vector<Market> markets_;
  std::mt19937_64 random_{1};  // NOLINT(cert-msc51-cpp): the same frames in every run
  std::string text_;
};

// RFC 6455, 5.2: FIN, text, not masked.
void append_header(std::size_t payload, std::string& out) {
  constexpr std::size_t kSmall = 125, kMedium = 0xffff;
  constexpr char kMarkMedium = 126, kMarkLarge = 127;
  out.push_back('\x81');
  int bytes = 0;
  if (payload <= kSmall) {
    out.push_back(static_cast<char>(payload));
  } else {
    bytes = payload <= kMedium ? 2 : 8;
    out.push_back(bytes == 2 ? kMarkMedium : kMarkLarge);
  }
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(payload >> static_cast<unsigned>(shift)));
}

}  // namespace

std::string_view TimestampText::at(std::int64_t unix_ns) {
  constexpr std::int64_t kNsPerMs = 1'000'000, kMsPerSecond = 1000;
  const std::int64_t ms = unix_ns / kNsPerMs;
  if (ms != ms_) {
    ms_ = ms;
    const std::time_t seconds = ms / kMsPerSecond;
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    const FixedText<kSize> text("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                                utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                                ms % kMsPerSecond);
    text.view().copy(text_.data(), kSize);
  }
  return {text_.data(), kSize};
}

FramePool::FramePool(const Options& options) {
  Renderer renderer(options);
  std::size_t count = std::max(kFramesMin, kFramesPerSymbol * options.symbols.size());
  if (options.count > 0) count = std::min<std::size_t>(count, options.count);
  for (std::size_t i = 0; i < count && bytes_.size() < kBytesMax; ++i) {
    const FrameKind kind = renderer.pick(options.mix);
    const std::string_view text = renderer.render(kind, i);
    const std::size_t offset = bytes_.size();
    append_header(text.size(), bytes_);
    const std::size_t start = bytes_.size();
    bytes_.append(text);
    frames_.push_back({offset, bytes_.size() - offset, start, start + text.find(kTimestampSpace), kind});
  }
}

void FramePool::stamp(const Frame& frame, std::string_view timestamp) {
  std::memcpy(bytes_.data() + frame.timestamp, timestamp.data(), timestamp.size());
}

std::string_view FramePool::text(const Frame& frame) const {
  return std::string_view(bytes_).substr(frame.text, frame.offset + frame.size - frame.text);
}

std::string_view FramePool::bytes(std::size_t first, std::size_t last) const {
  const std::size_t begin = frames_[first].offset;
  return std::string_view(bytes_).substr(begin, frames_[last].offset + frames_[last].size - begin);
}

}  // namespace mdpipe::bench
