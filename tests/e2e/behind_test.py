#!/usr/bin/python3
"""--when-behind=latest: while Redis is away, only the newest ticker and full book of each symbol wait, but all trades wait; and the
counts add up."""

import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from mdpipe_stack import Stack, wait_for  # noqa: E402


class BehindTest(unittest.TestCase):
    def setUp(self):
        self.stack = Stack()
        self.addCleanup(self.stack.__exit__)
        self.sent = os.path.join(self.stack.folder, "sent.log")
        self.stack.agent()

    def start(self, exchange, symbols, events):
        self.simulator, url = self.stack.simulator(exchange, symbols=symbols, rate=2000, events=events, log_sent=self.sent, seed=7)
        return self.stack.reader(exchange, symbols=symbols, url=url, when_behind="latest", behind_limit="300ms")

    def counted(self, metric):
        """{(channel, symbol): count}"""
        found = {}
        for name, value in self.stack.samples().items():
            labels = dict(re.findall(r'(\w+)="([^"]*)"', name))
            channel = labels.get("channel", labels.get("stream", "").removeprefix("md:"))
            if name.startswith(metric + "{") and channel != "feed" and value:
                key = (channel, labels["symbol"])
                found[key] = found.get(key, 0) + value
        return found

    def check_balance(self):
        def balances():
            received = self.counted("collector_messages_received_total")
            parts = [self.counted(f"collector_{part}_total") for part in
                     ("messages_published", "dropped_events", "conflated_events")]
            return received and all(count == sum(part.get(key, 0) for part in parts) for key, count in received.items())
        wait_for(balances, "received = published + dropped + conflated")

    def catch_up(self, events):
        wait_for(lambda: sum(self.counted("collector_messages_received_total").values()) >= events, "the exchange sent all")
        self.assertGreater(sum(self.counted("collector_conflated_events_total").values()), 0)
        self.stack.publisher()
        wait_for(lambda: sum(value for name, value in self.stack.samples().items()
                             if name.startswith("collector_unconfirmed_events")) < 100, "the backlog is gone")

    def test_tickers_and_full_books_give_way_to_newer_ones_and_trades_do_not(self):
        self.start("gmo", "BTC_JPY", 8000)
        self.catch_up(8000)
        self.simulator.stop()
        with open(self.sent, encoding="utf-8") as file:
            frames = [json.loads(line.rstrip("\n").split("\t", 2)[2]) for line in file if '"channel"' in line]
        trades = [(frame["symbol"], frame["price"], frame["size"]) for frame in frames if frame["channel"] == "trades"]
        self.assertEqual([(e["symbol"], e["price"], e["size"]) for e in self.stack.entries("md:trade")], trades)
        for symbol in ("BTC_JPY",):
            newest = [frame for frame in frames if frame["channel"] == "ticker" and frame["symbol"] == symbol][-1]
            arrived = [entry for entry in self.stack.entries("md:ticker") if entry["symbol"] == symbol]
            self.assertEqual(arrived[-1]["last"], newest["last"])
            self.assertLess(len(arrived), sum(f["channel"] == "ticker" and f["symbol"] == symbol for f in frames))
            book = [frame for frame in frames if frame["channel"] == "orderbooks" and frame["symbol"] == symbol][-1]
            kept = [entry for entry in self.stack.entries("md:orderbook") if entry["symbol"] == symbol][-1]
            self.assertEqual(json.loads(kept["bids"])[0], [book["bids"][0]["price"], book["bids"][0]["size"]])
        self.check_balance()

    def test_a_book_of_deltas_comes_whole_and_its_deltas_follow(self):
        reader = self.start("binance", "BTCUSDT", 0)
        self.catch_up(3000)
        snapshots = []

        def caught_up():
            entries = self.stack.entries("md:orderbook")
            snapshots[:] = [i for i, entry in enumerate(entries) if entry["kind"] == "snapshot"]
            return len(snapshots) >= 2 and len(entries) > snapshots[-1] + 20
        wait_for(caught_up, "a second snapshot and deltas behind it")
        self.simulator.stop()
        reader.stop()
        entries = self.stack.entries("md:orderbook")
        book = {"bids": {}, "asks": {}}
        for entry in entries[snapshots[-1]:]:
            if entry["kind"] == "snapshot":
                book = {"bids": {}, "asks": {}}
            for side, levels in book.items():
                for price, size in json.loads(entry[side]):
                    levels.pop(price, None)
                    if float(size) != 0:
                        levels[price] = size
            self.assertLess(max(map(float, book["bids"])), min(map(float, book["asks"])), "crossed")


if __name__ == "__main__":
    unittest.main(verbosity=2)
