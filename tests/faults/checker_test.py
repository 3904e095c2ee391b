#!/usr/bin/python3
"""The checker of the fault matrix finds every kind of damage: each is planted once and must be found."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from checker import Checker, CounterWatch, Findings, balance, nanoseconds, samples_of, sent_from_line  # noqa: E402

STAMP = "2026-11-25T10:00:00.123Z"


def trade_line(number, connection=1, symbol="BTC_JPY"):
    frame = {"channel": "trades", "price": "100", "side": "BUY", "size": f"1.{number:09d}", "timestamp": STAMP, "symbol": symbol}
    return f"{connection}\t0\t{json.dumps(frame)}\n"


def trade(number, seq, symbol="BTC_JPY"):
    return "trade", {"symbol": symbol, "price": "100", "size": f"1.{number:09d}", "side": "buy", "ts": str(nanoseconds(STAMP)),
                     "seq": str(seq)}


def gap(seq, state="gap", symbol="BTC_JPY", channel="trade"):
    return "feed", {"symbol": symbol, "channel": channel, "state": state, "seq": str(seq)}


class CheckerTest(unittest.TestCase):
    def check(self, sent, entries, reader_starts=1):
        checker = Checker()
        for line in sent:
            frame = sent_from_line(line, 0)
            if frame:
                checker.on_sent(frame)
        for channel, fields in entries:
            checker.on_entry(channel, fields)
        return dict(checker.finish(reader_starts).counts)

    def sent(self, *numbers, connection=1):
        return [trade_line(number, connection) for number in numbers]

    def test_all_well(self):
        self.assertEqual(self.check(self.sent(1, 2, 3), [trade(1, 1), trade(2, 2), trade(3, 3)]), {})

    def test_both_forms_of_a_ticker_and_a_book_are_the_same(self):
        ticker = {"channel": "ticker", "ask": "2", "bid": "1", "high": "3", "last": "2", "low": "1", "symbol": "BTC_JPY",
                  "timestamp": STAMP, "volume": "7"}
        book = {"channel": "orderbooks", "asks": [{"price": "2", "size": "1"}], "bids": [{"price": "1", "size": "4"}],
                "symbol": "BTC_JPY", "timestamp": STAMP}
        ts = str(nanoseconds(STAMP))
        self.assertEqual(self.check(
            [f"1\t0\t{json.dumps(ticker)}\n", f"1\t0\t{json.dumps(book)}\n", "# 1\t0\ta note\n"],
            [("ticker", {"ask": "2", "bid": "1", "high": "3", "last": "2", "low": "1", "symbol": "BTC_JPY", "volume": "7", "ts": ts,
                         "seq": "1"}),
             ("orderbook", {"asks": '[["2","1"]]', "bids": '[["1","4"]]', "symbol": "BTC_JPY", "ts": ts, "seq": "2"})]), {})

    def test_loss_in_the_middle(self):
        self.assertEqual(self.check(self.sent(1, 2, 3), [trade(1, 1), trade(3, 2)]), {"lost": 1})

    def test_loss_at_the_end(self):
        self.assertEqual(self.check(self.sent(1, 2, 3), [trade(1, 1)]), {"lost": 2})

    def test_a_changed_digit(self):
        found = self.check(self.sent(1, 2), [trade(1, 1), ("trade", {**trade(2, 2)[1], "price": "100.0"})])
        self.assertEqual(found, {"never sent": 1, "lost": 1})

    def test_duplicate(self):
        self.assertEqual(self.check(self.sent(1, 2), [trade(1, 1), trade(2, 2), trade(2, 3)]), {"duplicate": 1})

    def test_a_batch_written_twice(self):
        found = self.check(self.sent(1, 2), [trade(1, 1), trade(2, 2), trade(1, 1), trade(2, 2)])
        self.assertEqual(found, {"duplicate": 2, "seq fell back": 1})

    def test_swapped(self):
        found = self.check(self.sent(1, 2, 3), [trade(2, 1), trade(1, 2), trade(3, 3)])
        self.assertIn("lost", found)
        self.assertIn("never sent", found)

    def test_hole_in_seq(self):
        self.assertEqual(self.check(self.sent(1, 2), [trade(1, 1), trade(2, 3)]), {"seq missing": 1})

    def test_seq_twice(self):
        self.assertEqual(self.check(self.sent(1, 2), [trade(1, 1), trade(2, 1)]), {"seq twice": 1})

    def test_new_epoch_of_a_reader_that_was_started_again(self):
        self.assertEqual(self.check(self.sent(1, 2) + self.sent(3, connection=2),
                                    [trade(1, 1), trade(2, 2), trade(3, 1)], reader_starts=2), {})

    def test_end_of_a_broken_connection_without_a_gap(self):
        found = self.check(self.sent(1, 2) + self.sent(3, connection=2), [trade(1, 1), trade(3, 2)])
        self.assertEqual(found, {"not owned up to": 1})

    def test_end_of_a_broken_connection_with_a_gap(self):
        for state in ("gap", "down"):
            found = self.check(self.sent(1, 2) + self.sent(3, connection=2), [trade(1, 1), gap(2, state), trade(3, 3)])
            self.assertEqual(found, {})

    def test_gap_of_another_place_or_stream(self):
        sent = self.sent(1, 2) + self.sent(3, connection=2)
        for feed in (gap(2, symbol="ETH_JPY"), gap(2, channel="ticker"), gap(2, state="stale")):
            self.assertEqual(self.check(sent, [trade(1, 1), feed, trade(3, 3)]), {"not owned up to": 1})
        self.assertEqual(self.check(sent, [trade(1, 1), trade(3, 2), gap(3)]), {"not owned up to": 1})

    def test_trades_made_while_nobody_was_connected(self):
        sent = self.sent(1) + self.sent(9, connection=2)
        self.assertEqual(self.check(sent, [trade(1, 1), trade(9, 2)]), {"not owned up to": 1})
        self.assertEqual(self.check(sent, [trade(1, 1), gap(2), trade(9, 3)]), {})

    def test_sent_on_two_connections_and_read_on_the_second(self):
        self.assertEqual(self.check(self.sent(1, 2) + self.sent(2, 3, connection=2), [trade(1, 1), trade(2, 2), trade(3, 3)]), {})

    def test_only_what_was_lost_on_the_newest_connection_is_unread(self):
        checker = Checker()
        feed = iter([trade(1, 1), trade(3, 2), trade(7, 1)])

        def step(*sent):
            for line in sent:
                checker.on_sent(sent_from_line(line, 0))
            checker.on_entry(*next(feed))

        step(*self.sent(1))
        step(*self.sent(3, connection=2))
        step(*self.sent(4, 5, connection=1), *self.sent(6, connection=2), *self.sent(7, connection=3))
        _, hole = checker.holes()[-1]
        self.assertEqual((len(hole.lost), len(hole.unread())), (3, 1))

    def test_what_a_line_lost_before_the_newest_connection_is_not_unread(self):
        """ETH_JPY did not flow yet on connection 2, on which BTC_JPY was read when the reader ended."""
        checker = Checker()
        eth = [trade_line(number, connection, symbol="ETH_JPY") for number, connection in ((1, 1), (2, 1), (3, 3))]
        for line in (*eth[:2], *self.sent(1, connection=2), eth[2]):
            checker.on_sent(sent_from_line(line, 0))
        for entry in (trade(1, 1, "ETH_JPY"), trade(1, 2), trade(3, 1, "ETH_JPY")):
            checker.on_entry(*entry)
        (_, hole), = checker.holes()
        self.assertEqual((len(hole.lost), len(hole.unread())), (1, 0))

    def test_a_gap_that_md_publisher_reports(self):
        found = self.check(self.sent(1), [trade(1, 1), ("feed", {"channel": "trade", "symbol": "BTC_JPY", "state": "gap"})])
        self.assertEqual(found, {"reported by md-publisher": 1})

    def test_lines_are_apart(self):
        sent = self.sent(1) + [trade_line(1, symbol="ETH_JPY")]
        self.assertEqual(self.check(sent, [trade(1, 1, "ETH_JPY"), trade(1, 2)]), {})
        self.assertEqual(self.check(sent, [trade(1, 1, "ETH_JPY")]), {"lost": 1})


METRICS = """# TYPE collector_messages_received_total counter
collector_messages_received_total{{exchange="gmo",channel="trade",symbol="BTC_JPY"}} {received}
collector_messages_published_total{{exchange="gmo",stream="md:trade",symbol="BTC_JPY"}} {published}
collector_dropped_events_total{{component="ws-reader",exchange="gmo",channel="trade",symbol="BTC_JPY",reason="x"}} {dropped}
collector_conflated_events_total{{exchange="gmo",channel="trade",symbol="BTC_JPY"}} {conflated}
collector_unconfirmed_events{{source="gmo"}} {held}
"""


def metrics(received=10, published=10, dropped=0, conflated=0, held=0):
    return samples_of(METRICS.format(received=received, published=published, dropped=dropped, conflated=conflated, held=held))


class BalanceTest(unittest.TestCase):
    def wrong(self, in_redis=10, **values):
        return len(balance(metrics(**values), {("trade", "BTC_JPY"): in_redis}))

    def test_balanced(self):
        self.assertEqual(self.wrong(), 0)
        self.assertEqual(self.wrong(in_redis=7, published=7, dropped=2, conflated=1), 0)

    def test_unbalanced(self):
        self.assertEqual(self.wrong(received=11), 1)
        self.assertEqual(self.wrong(published=9), 2)
        self.assertEqual(self.wrong(in_redis=9), 1)
        self.assertEqual(self.wrong(dropped=1), 1)
        self.assertEqual(self.wrong(conflated=1), 1)
        self.assertEqual(self.wrong(held=1), 1)

    def test_a_symbol_that_is_only_in_redis(self):
        self.assertEqual(len(balance(metrics(), {("trade", "BTC_JPY"): 10, ("trade", "ETH_JPY"): 1})), 1)

    def test_counter_that_goes_back(self):
        findings = Findings()
        watch = CounterWatch(findings)
        for received in (5, 6, 4):
            watch.look(metrics(received=received))
        self.assertEqual(dict(findings.counts), {"counter went back": 1})
        watch.look({'process_cpu_seconds_total{component="x"}': 5})
        watch.look({'process_cpu_seconds_total{component="x"}': 1, "collector_redis_up": 0})
        self.assertEqual(dict(findings.counts), {"counter went back": 1})

    def test_histogram_that_goes_back(self):
        for part, labels in (("bucket", '{exchange="gmo",le="0.1"}'), ("count", '{exchange="gmo"}'), ("sum", '{exchange="gmo"}')):
            findings = Findings()
            watch = CounterWatch(findings)
            for value in (5, 5, 4.5):
                watch.look({f"collector_publish_latency_seconds_{part}{labels}": value})
            self.assertEqual(dict(findings.counts), {"counter went back": 1})


if __name__ == "__main__":
    unittest.main()
