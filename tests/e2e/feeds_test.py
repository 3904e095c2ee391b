#!/usr/bin/python3
"""Feed states through the whole pipeline: what a consumer reads in md:feed when the exchange freezes a symbol, goes silent or is
lost, and what /metrics and /healthz say meanwhile."""

import os
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from mdpipe_stack import Stack, wait_for  # noqa: E402

FROZEN, SIBLING = "FX_BTC_JPY", "BTC_JPY"
LIMIT = 3.0  # seconds, of tickers here
SERIES = 'collector_feed_state{exchange="bitflyer",channel="ticker",symbol="%s",state="%s"}'


def states(events):
    return [event["state"] for event in events]


class FeedsTest(unittest.TestCase):
    def setUp(self):
        self.stack = Stack()
        self.addCleanup(self.stack.__exit__)
        self.control_path = os.path.join(self.stack.folder, "sim.sock")

    def start(self, **simulator_options):
        self.publisher = self.stack.publisher()
        self.agent = self.stack.agent()
        options = {"symbols": f"{SIBLING},{FROZEN}", "rate": 200, "seed": 5, "control": self.control_path,
                   "log_level": "debug", **simulator_options}
        self.simulator, self.url = self.stack.simulator("bitflyer", **options)
        self.reader = self.stack.reader("bitflyer", symbols=f"{SIBLING},{FROZEN}", channels="ticker,trade", url=self.url,
                                        stale_after=f"ticker={LIMIT:.0f}s,trade=1h", reconnect_delay_min="50ms")

    def live(self):
        for symbol in (SIBLING, FROZEN):
            self.wait_state(symbol, "live")

    def control(self, command):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(self.control_path)
            connection.sendall(f"{command}\n".encode())
            self.assertTrue(connection.recv(4096).startswith(b"{"), command)

    def tickers(self, symbol):
        return [entry for entry in self.stack.entries("md:ticker") if entry["symbol"] == symbol]

    def wait_state(self, symbol, state, after=0):
        """The event of that state; `after` are the events of the feed to skip."""
        def found():
            return [event for event in self.stack.feed_events("ticker", symbol)[after:] if event["state"] == state]
        return wait_for(found, f"{symbol} {state}; {self.stack.feed_events('ticker', symbol)[-3:]}")[0]

    def requests(self, method):
        return [line["text"] for line in self.simulator.logs("request") if f'"{method}"' in line["text"]]

    def healthz(self):
        return self.stack.http("/healthz")

    def test_a_frozen_symbol_is_stale_and_resubscribed_alone_while_its_sibling_runs(self):
        self.start()
        self.live()
        wait_for(lambda: self.healthz() == (200, "ok\n"), "healthy")
        self.control(f"silence-symbol {FROZEN} on")
        stale = self.wait_state(FROZEN, "stale")
        self.assertIn("while others have data", stale["reason"])
        silent_for = (int(stale["since"]) - int(self.tickers(FROZEN)[-1]["recv"])) / 1e9
        self.assertGreaterEqual(silent_for, LIMIT)
        self.assertLess(silent_for, LIMIT + 2)
        wait_for(lambda: f"bitflyer ticker {FROZEN} stale since 20" in self.healthz()[1], "/healthz names it")
        self.assertEqual(self.healthz()[0], 503)
        self.assertNotIn(f"ticker {SIBLING} ", self.healthz()[1])
        samples = self.stack.samples()
        self.assertEqual((samples[SERIES % (FROZEN, "stale")], samples[SERIES % (FROZEN, "live")]), (1, 0))
        self.assertEqual(samples[SERIES % (SIBLING, "live")], 1)
        wait_for(lambda: self.requests("unsubscribe"), "the resubscription")
        self.assertTrue(all(f"lightning_ticker_{FROZEN}" in text for text in self.requests("unsubscribe")))
        wait_for(lambda: len(self.requests("subscribe")) == 4 + 1, "subscribed again")
        wait_for(lambda: self.stack.samples()['collector_resubscribes_total{exchange="bitflyer",channel="ticker"}'] == 1, "counted")

        known = len(self.stack.feed_events("ticker", FROZEN))
        self.control(f"silence-symbol {FROZEN} off")
        self.assertIn("data again after", self.wait_state(FROZEN, "live", known)["reason"])
        wait_for(lambda: self.healthz() == (200, "ok\n"), "healthy again")
        self.assertNotIn("stale", states(self.stack.feed_events(symbol=SIBLING)))
        self.assertEqual(len(self.reader.logs("connected")), 1)

    def test_an_acknowledged_but_silent_subscription_is_retried_alone(self):
        self.start(silence_symbol=FROZEN)
        self.wait_state(SIBLING, "live")
        wait_for(lambda: self.requests("unsubscribe"), "the resubscription")
        self.assertEqual(states(self.stack.feed_events("ticker", FROZEN)), ["pending"])
        self.control(f"silence-symbol {FROZEN} off")
        self.wait_state(FROZEN, "live")
        self.assertEqual(len(self.reader.logs("connected")), 1)

    def test_a_market_that_becomes_thin_flaps_once_and_no_more(self):
        self.start()
        self.live()
        for _ in range(4):  # silences of a good four seconds; the limit is three times the first one's by then
            before = len(self.tickers(FROZEN))
            self.control(f"silence-symbol {FROZEN} on")
            begin = time.monotonic()
            wait_for(lambda b=begin: time.monotonic() > b + LIMIT + 1.5, "a silence")
            self.control(f"silence-symbol {FROZEN} off")
            wait_for(lambda b=before: len(self.tickers(FROZEN)) > b + 10, "data again")
        self.assertEqual(states(self.stack.feed_events("ticker", FROZEN)).count("stale"), 1)

    def test_a_lost_connection_is_down_then_a_gap_with_its_ends_then_live(self):
        self.start()
        self.live()
        self.control("drop")
        self.wait_state(FROZEN, "live", 3)
        events = self.stack.feed_events("ticker", FROZEN)
        self.assertEqual(states(events), ["pending", "gap", "live", "down", "pending", "gap", "live"])
        first, gap = (event for event in events if event["state"] == "gap")
        self.assertEqual((first["reason"], gap["reason"]), ("reader started", "reconnected"))
        self.assertNotIn("from", first)
        self.assertNotIn("lost", gap)
        tickers = {entry["recv"]: entry for entry in self.tickers(FROZEN)}
        self.assertLess(int(tickers[gap["from"]]["seq"]), int(events[3]["seq"]))
        self.assertEqual(int(tickers[gap["to"]]["seq"]), int(gap["seq"]) + 2, "gap, live, and then the data")
        self.assertFalse([recv for recv in tickers if int(gap["from"]) < int(recv) < int(gap["to"])])

    def test_a_connection_that_is_silent_as_a_whole_is_set_up_again(self):
        self.start()
        self.live()
        self.control("silence on")
        self.assertIn("the whole connection is silent", self.wait_state(SIBLING, "stale")["reason"])
        lost = self.reader.wait_log("connection lost")[0]
        self.assertIn("no data on the whole connection for", lost["reason"])
        self.assertEqual(self.requests("unsubscribe"), [])
        known = len(self.stack.feed_events("ticker", SIBLING))
        self.control("silence off")
        self.wait_state(SIBLING, "live", known)

    def test_a_reader_that_was_stopped_for_a_while_blames_nobody(self):
        self.start()
        self.live()
        before = len(self.tickers(SIBLING))
        self.reader.pause()
        begin = time.monotonic()
        wait_for(lambda: time.monotonic() > begin + LIMIT + 2, "a pause beyond the limit")
        self.reader.resume()
        wait_for(lambda: len(self.tickers(SIBLING)) > before + 200, "data again")
        self.assertEqual({state for state in states(self.stack.feed_events()) if state in ("stale", "down")}, set())

    def test_a_reader_that_stops_says_that_its_feeds_are_down(self):
        self.start()
        self.live()
        self.assertEqual(self.reader.stop(), 0)
        last = self.stack.feed_events("ticker", FROZEN)[-1]
        self.assertEqual((last["state"], last["reason"]), ("down", "the reader stops"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
