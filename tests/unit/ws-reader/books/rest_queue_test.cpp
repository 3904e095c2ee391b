#include "ws-reader/books/rest_queue.hpp"

#include <gtest/gtest.h>

namespace mdpipe::reader {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const SteadyTime kNow{std::chrono::hours(1)};

TEST(RestQueue, one_symbol_after_the_other_each_once) {
  RestQueue queue;
  EXPECT_EQ(queue.wait(kNow), std::nullopt);
  EXPECT_TRUE(queue.add("A"));
  EXPECT_TRUE(queue.add("B"));
  EXPECT_TRUE(queue.add("A"));
  EXPECT_EQ(queue.wait(kNow), milliseconds(0));
  EXPECT_EQ(queue.take(), "A");
  EXPECT_EQ(queue.wait(kNow), std::nullopt) << "one is on its way";
  queue.on_done();
  EXPECT_EQ(queue.take(), "B");
  queue.on_done();
  EXPECT_EQ(queue.wait(kNow), std::nullopt);
}

TEST(RestQueue, a_failed_symbol_comes_again_after_the_others_and_after_a_growing_delay) {
  RestQueue queue;
  ASSERT_TRUE(queue.add("A") && queue.add("B"));
  queue.take();
  EXPECT_EQ(queue.on_failed(kNow, seconds(0)), seconds(1));
  EXPECT_EQ(queue.wait(kNow), seconds(1));
  EXPECT_EQ(queue.wait(kNow + seconds(5)), milliseconds(0));
  EXPECT_EQ(queue.take(), "B");
  EXPECT_EQ(queue.on_failed(kNow, seconds(0)), seconds(2));
  EXPECT_EQ(queue.take(), "A");
  queue.on_done();
  queue.take();
  EXPECT_EQ(queue.on_failed(kNow, seconds(0)), seconds(1)) << "a success starts anew";
  for (int i = 0; i < 100; ++i) {
    queue.take();
    EXPECT_LE(queue.on_failed(kNow, seconds(0)), seconds(60));
  }
}

TEST(RestQueue, waits_as_long_as_the_exchange_asks) {
  RestQueue queue;
  ASSERT_TRUE(queue.add("A"));
  queue.take();
  EXPECT_EQ(queue.on_failed(kNow, seconds(120)), seconds(120));
  EXPECT_EQ(queue.wait(kNow), seconds(120));
  queue.take();
  EXPECT_EQ(queue.on_failed(kNow, seconds(1'000'000'000)), std::chrono::hours(72));
}

TEST(RestQueue, what_nobody_wants_any_more_does_not_come_again) {
  RestQueue queue;
  ASSERT_TRUE(queue.add("A") && queue.add("B") && queue.add("C"));
  queue.take();
  queue.remove("A");
  queue.remove("B");
  queue.on_failed(kNow, seconds(0));
  EXPECT_EQ(queue.take(), "C");
  queue.on_done();
  EXPECT_EQ(queue.wait(kNow), std::nullopt);
  ASSERT_TRUE(queue.add("A"));
  queue.take();
  queue.remove("A");
  ASSERT_TRUE(queue.add("A")) << "wanted again while the first request is on its way";
  queue.on_failed(kNow, seconds(0));
  EXPECT_EQ(queue.take(), "A");
  queue.on_failed(kNow, seconds(0));
  EXPECT_EQ(queue.take(), "A") << "the new request is repeated as any other";
}

TEST(RestQueue, is_bounded) {
  RestQueue::Limits limits;
  limits.symbols_max = 1;
  RestQueue queue(limits);
  EXPECT_TRUE(queue.add("A"));
  EXPECT_FALSE(queue.add("B"));
  EXPECT_TRUE(queue.add("A")) << "it waits already";
}

}  // namespace
}  // namespace mdpipe::reader
