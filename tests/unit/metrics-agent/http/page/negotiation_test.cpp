#include "metrics-agent/http/page/negotiation.hpp"

#include <gtest/gtest.h>

namespace mdpipe::agent {
namespace {

TEST(Negotiation, prometheus_is_given_open_metrics) {
  // What Prometheus 2.42 and 3 send.
  EXPECT_EQ(negotiate_format("application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
                             "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
            TextFormat::OpenMetrics100);
  EXPECT_EQ(negotiate_format("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                             "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;"
                             "escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"),
            TextFormat::OpenMetrics100);
  EXPECT_EQ(negotiate_format("application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5"),
            TextFormat::OpenMetrics001);
}

TEST(Negotiation, text_where_nothing_else_is_asked_for) {
  for (const char* accept :
       {"", "*/*", "text/plain", "text/*", "text/plain;version=0.0.4",
        "text/html,application/xml;q=0.9,*/*;q=0.8", "application/json",
        "application/openmetrics-text;version=2.0.0", ";;,,=;q", "application/openmetrics-text;q=0"})
    EXPECT_EQ(negotiate_format(accept), TextFormat::Prometheus) << accept;
}

TEST(Negotiation, the_higher_quality_wins) {
  EXPECT_EQ(negotiate_format("application/openmetrics-text;q=0.5,text/plain;q=0.7"), TextFormat::Prometheus);
  EXPECT_EQ(negotiate_format("text/plain;q=0.7, APPLICATION/OpenMetrics-Text ; q=0.8"),
            TextFormat::OpenMetrics100);
  EXPECT_EQ(negotiate_format("application/openmetrics-text;version=\"1.0.0\",text/plain"),
            TextFormat::OpenMetrics100);
}

TEST(Negotiation, gzip_is_used_only_where_it_is_accepted) {
  EXPECT_TRUE(accepts_gzip("gzip"));
  EXPECT_TRUE(accepts_gzip("deflate, GZIP;q=0.5"));
  EXPECT_TRUE(accepts_gzip("br, gzip ;q=1"));
  EXPECT_FALSE(accepts_gzip(""));
  EXPECT_FALSE(accepts_gzip("gzip;q=0"));
  EXPECT_FALSE(accepts_gzip("identity"));
  EXPECT_FALSE(accepts_gzip("notgzip"));
}

}  // namespace
}  // namespace mdpipe::agent
