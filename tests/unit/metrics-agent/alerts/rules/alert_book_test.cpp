#include "metrics-agent/alerts/rules/alert_book.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libshared/event/event.hpp"
#include "tests/unit/metrics-agent/fake_component.hpp"

namespace mdpipe::agent {
namespace {

using metrics::Metric;
using testing::ElementsAre;
using testing::IsEmpty;

// "Backlog+ gmo", "Backlog- gmo"
std::vector<std::string> brief(const std::vector<AlertReport>& reports) {
  std::vector<std::string> out;
  for (const AlertReport& report : reports) {
    std::string line(info(report.alert).name.substr(std::string_view("Mdpipe").size()));
    line += report.is_over ? '-' : '+';
    for (const std::string& subject : report.subjects) line += " " + subject;
    out.push_back(line);
  }
  return out;
}

class AlertBookTest : public testing::Test {
 protected:
  // Evaluates everything at `second`, after the messages of the reader and the publisher.
  std::vector<AlertReport> turn(double second) {
    store_.apply(reader_.message(), at(second));
    if (has_publisher_) store_.apply(publisher_.message(), at(second));
    store_.expire(at(second).steady);
    conditions_.update(at(second).steady);
    return book_.update(at(second));
  }
  std::vector<std::string> turns(double from, double to) {
    std::vector<std::string> out;
    for (double second = from; second <= to; ++second) {
      for (auto& line : brief(turn(second)))
        out.push_back(std::to_string(static_cast<int>(second)) + " " + line);
    }
    return out;
  }
  void connection(const std::string& exchange, bool is_up) {
    reader_.gauge(Metric::ConnectionUp, {exchange}, is_up ? 1 : 0);
  }
  void backlog(double events) { reader_.gauge(Metric::UnconfirmedEvents, {"gmo"}, events); }
  void redis(bool is_up) { publisher_.gauge(Metric::RedisUp, {"md-publisher"}, is_up ? 1 : 0); }

  SnapshotStore store_{StoreLimits{}};
  Conditions conditions_{store_, "metrics-agent"};
  AlertBook book_{conditions_, AlertRules()};
  FakeComponent reader_{"ws-reader", "gmo"}, publisher_{"md-publisher", "main"};
  bool has_publisher_ = true;
};

TEST_F(AlertBookTest, each_subject_begins_and_ends_for_itself) {
  connection("gmo", false);
  connection("kraken", true);
  EXPECT_THAT(turns(0, 60), ElementsAre("60 ExchangeDown+ gmo"));
  EXPECT_TRUE(book_.is_firing(AlertId::ExchangeDown));
  connection("kraken", false);
  connection("gmo", true);
  // gmo was last bad at 60, kraken has been bad since 61.
  EXPECT_THAT(turns(61, 125), ElementsAre("120 ExchangeDown- gmo", "121 ExchangeDown+ kraken"));
  connection("kraken", true);
  EXPECT_THAT(turns(126, 300), ElementsAre("185 ExchangeDown- kraken"));
  EXPECT_FALSE(book_.is_firing(AlertId::ExchangeDown));
}

TEST_F(AlertBookTest, a_report_says_how_bad_and_since_when) {
  backlog(20'000);
  turns(10, 69);
  const auto reports = turn(70);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].value, 20'000);
  EXPECT_EQ(reports[0].limit, 10'000);
  EXPECT_EQ(reports[0].since, at(10).wall);
  EXPECT_EQ(reports[0].firing, 1U);
}

TEST_F(AlertBookTest, an_ordinary_restart_is_nothing) {
  connection("gmo", true);
  redis(true);
  EXPECT_THAT(turns(0, 10), IsEmpty());
  for (double second = 11; second < 31; ++second) {  // silent for twenty seconds
    store_.expire(at(second).steady);
    conditions_.update(at(second).steady);
    EXPECT_THAT(book_.update(at(second)), IsEmpty());
  }
  reader_.restart(200);
  publisher_.restart(200);
  connection("gmo", false);
  redis(false);
  EXPECT_THAT(turns(31, 40), IsEmpty());
  connection("gmo", true);
  redis(true);
  EXPECT_THAT(turns(41, 200), IsEmpty());
}

TEST_F(AlertBookTest, without_redis_one_alert_is_enough) {
  redis(false);
  backlog(20'000);
  EXPECT_THAT(turns(0, 200), ElementsAre("30 RedisDown+ md-publisher"));
  redis(true);
  backlog(6'000);
  EXPECT_THAT(turns(201, 500), ElementsAre("260 RedisDown- md-publisher")) << "it had caught up by then";
}

TEST_F(AlertBookTest, what_outlasts_its_cause_fires_then) {
  redis(false);
  backlog(20'000);
  turns(0, 200);
  redis(true);
  EXPECT_THAT(turns(201, 500), ElementsAre("260 RedisDown- md-publisher", "260 Backlog+ gmo"));
}

TEST_F(AlertBookTest, without_publisher_one_alert_is_enough) {
  turns(0, 1);
  has_publisher_ = false;
  backlog(20'000);
  EXPECT_THAT(turns(2, 200), ElementsAre("36 ComponentDown+ md-publisher main"));
}

TEST_F(AlertBookTest, twenty_subjects_are_named) {
  for (char symbol = 'A'; symbol <= 'Z'; ++symbol)
    reader_.gauge(Metric::FeedState, {"gmo", "ticker", std::string(1, symbol)},
                  static_cast<double>(FeedState::Stale));
  turns(0, 29);
  const auto reports = turn(30);
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].subjects.size(), 20U);
  EXPECT_EQ(reports[0].subjects_more, 6U);
  EXPECT_EQ(reports[0].firing, 26U);
}

TEST_F(AlertBookTest, an_alert_that_is_off_never_fires_and_one_turned_off_ends) {
  auto rules = make_alert_rules({{}, {}, {"MdpipeExchangeDown"}, std::chrono::seconds(60)}).value();
  connection("gmo", false);
  turns(0, 60);
  EXPECT_TRUE(book_.is_firing(AlertId::ExchangeDown));
  book_.set_rules(rules);
  EXPECT_THAT(turns(61, 1000), ElementsAre("120 ExchangeDown- gmo"));
}

TEST_F(AlertBookTest, what_was_told_is_not_told_again) {
  connection("gmo", false);
  turns(0, 60);
  EXPECT_TRUE(book_.has_undelivered());
  EXPECT_THAT(brief(book_.begin_delivery()), ElementsAre("ExchangeDown+ gmo"));
  EXPECT_FALSE(book_.has_undelivered());
  book_.delivered();
  EXPECT_FALSE(book_.has_undelivered());
  connection("gmo", true);
  turns(61, 120);
  EXPECT_THAT(brief(book_.begin_delivery()), ElementsAre("ExchangeDown- gmo"));
  book_.delivered();
  EXPECT_THAT(book_.begin_delivery(), IsEmpty());
}

TEST_F(AlertBookTest, what_was_not_told_is_told_as_it_is_then) {
  connection("gmo", false);
  backlog(20'000);
  turns(0, 60);
  EXPECT_THAT(brief(book_.begin_delivery()), ElementsAre("ExchangeDown+ gmo", "Backlog+ gmo"));
  connection("gmo", true);
  turns(61, 130);  // over while the message was on its way
  book_.not_delivered();
  EXPECT_THAT(brief(book_.begin_delivery()), ElementsAre("ExchangeDown- gmo", "Backlog+ gmo"));
  book_.delivered();
  EXPECT_FALSE(book_.has_undelivered());
}

TEST_F(AlertBookTest, what_ends_while_it_is_being_told_is_told_next) {
  connection("gmo", false);
  turns(0, 60);
  EXPECT_THAT(brief(book_.begin_delivery()), ElementsAre("ExchangeDown+ gmo"));
  connection("gmo", true);
  turns(61, 130);
  book_.delivered();
  EXPECT_THAT(brief(book_.begin_delivery()), ElementsAre("ExchangeDown- gmo"));
}

TEST_F(AlertBookTest, the_most_severe_comes_first) {
  backlog(20'000);
  turns(0, 60);
  connection("gmo", false);
  turns(61, 200);
  EXPECT_THAT(brief(book_.begin_delivery()), ElementsAre("ExchangeDown+ gmo", "Backlog+ gmo"));
}

TEST(AlertRules, options_change_them) {
  const auto rules = make_alert_rules({{"MdpipeErrors=20", "MdpipePublishSlow=0.25"},
                                       {"MdpipeExchangeDown=5m"},
                                       {"MdpipeFeedPending"},
                                       std::chrono::seconds(7)})
                         .value();
  EXPECT_EQ(rules[AlertId::Errors].limit, 20);
  EXPECT_EQ(rules[AlertId::PublishSlow].limit, 0.25);
  EXPECT_EQ(rules[AlertId::ExchangeDown].hold, std::chrono::minutes(5));
  EXPECT_FALSE(rules[AlertId::FeedPending].is_on);
  EXPECT_TRUE(rules[AlertId::Errors].is_on);
  EXPECT_EQ(rules[AlertId::Errors].keep, std::chrono::seconds(7));
  EXPECT_EQ(rules[AlertId::Backlog].limit, 10'000);
}

TEST(AlertRules, wrong_options_are_refused_by_name_with_the_remedy) {
  using testing::HasSubstr;
  const auto refusal = [](AlertRulesConfig options) {
    const auto rules = make_alert_rules(options);
    return rules ? std::string() : rules.error().message;
  };
  EXPECT_THAT(refusal({{"MdpipeErors=20"}, {}, {}, {}}), HasSubstr("--alert-limits 'MdpipeErors=20'"));
  EXPECT_THAT(refusal({{"MdpipeErors=20"}, {}, {}, {}}), HasSubstr("MdpipeErrors"));
  EXPECT_THAT(refusal({{"MdpipeExchangeDown=1"}, {}, {}, {}}), HasSubstr("--alert-limits"))
      << "it is down or it is not";
  for (const char* entry : {"MdpipeErrors", "MdpipeErrors=", "MdpipeErrors=x", "MdpipeErrors=-1",
                            "MdpipeErrors=nan", "MdpipeErrors=inf", "MdpipeErrors=5 "})
    EXPECT_THAT(refusal({{entry}, {}, {}, {}}), HasSubstr("--alert-limits")) << entry;
  for (const char* entry : {"Mdpipe=5m", "MdpipeErrors", "MdpipeErrors=5y", "MdpipeErrors=25h"})
    EXPECT_THAT(refusal({{}, {entry}, {}, {}}), HasSubstr("--alert-for")) << entry;
  EXPECT_THAT(refusal({{}, {}, {"Mdpipe"}, {}}), HasSubstr("--alert-off 'Mdpipe'"));
}

}  // namespace
}  // namespace mdpipe::agent
