#!/usr/bin/python3
"""Order books through the whole pipeline while the exchange loses, crosses and spoils their frames and refuses snapshots:
a consumer that only applies the entries of md:orderbook always has a plausible book, trades are unaffected, and the connection is
never closed because of a bad book."""

import json
import os
import re
import socket
import sys
import unittest
from decimal import Decimal

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "support"), os.path.join(HERE, "..", "integration")]
from mdpipe_stack import Stack, check_sequence, wait_for  # noqa: E402
from ws_server import Certificates  # noqa: E402

SYMBOLS = {"binance": "BTCUSDT,ETHUSDT", "bitflyer": "BTC_JPY,FX_BTC_JPY", "gmo": "BTC_JPY,ETH_JPY"}


class Book:
    """A consumer's book: a snapshot replaces it, a delta changes it."""

    def __init__(self):
        self.sides = None
        self.last = None

    def apply(self, entry):
        if entry["kind"] == "snapshot":
            self.sides = {"bids": {}, "asks": {}}
        assert self.sides is not None, "a delta before any snapshot"
        for name, side in self.sides.items():
            for price, size in json.loads(entry[name]):
                if Decimal(size) == 0:
                    side.pop(Decimal(price), None)
                else:
                    side[Decimal(price)] = Decimal(size)

    def is_crossed(self):
        bids, asks = self.sides["bids"], self.sides["asks"]
        return bool(bids and asks) and max(bids) >= min(asks)


class BooksTest(unittest.TestCase):
    def setUp(self):
        self.stack = Stack()
        self.addCleanup(self.stack.__exit__)
        self.sent = os.path.join(self.stack.folder, "sent.log")

    def start(self, exchange, events, reader_options=None, **simulator_options):
        self.exchange, self.events = exchange, events
        self.publisher = self.stack.publisher()
        self.agent = self.stack.agent()
        self.simulator, self.url = self.stack.simulator(exchange, **{
            "symbols": SYMBOLS[exchange], "rate": 300, "events": events, "seed": 5, "log_sent": self.sent,
            "control": os.path.join(self.stack.folder, "control"), **simulator_options})
        self.reader = self.stack.reader(exchange, **{"symbols": SYMBOLS[exchange], "url": self.url, **(reader_options or {})})

    def wait_sent(self):
        """All is sent, and the simulator's log of it is on disk; returns its counts."""
        self.simulator.wait_log("all events sent", deadline=60)
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(os.path.join(self.stack.folder, "control"))
            control.sendall(b"stats\n")
            return json.loads(control.makefile().readline())

    def frames(self):
        """What was sent and is JSON, without its envelope."""
        frames = []
        with open(self.sent, encoding="utf-8") as file:
            for line in file:
                if line.endswith("\n") and "\t{" in line:
                    frame = json.loads(line.rstrip("\n").split("\t", 2)[2])
                    frames.append(frame.get("data", frame))
        return frames

    def sent_trades(self):
        found = []
        for frame in self.frames():
            if self.exchange == "binance" and frame.get("e") == "trade":
                found.append((frame["s"], str(frame["t"])))
            elif self.exchange == "gmo" and frame.get("channel") == "trades":
                found.append((frame["symbol"], frame["size"]))
            elif "_executions_" in (channel := frame.get("params", {}).get("channel", "")):
                found += [(channel[len("lightning_executions_"):], str(entry["id"])) for entry in frame["params"]["message"]]
        return found

    def counted(self, metric):
        """Sum of the metric's series of order books, by symbol."""
        totals = {}
        for name, value in self.stack.samples().items():
            symbol = re.search(r'symbol="([^"]+)"', name)
            if name.startswith(metric + "{") and re.search(r'(channel|stream)="(md:)?orderbook"', name) and symbol:
                totals[symbol.group(1)] = totals.get(symbol.group(1), 0) + value
        return totals

    def dropped(self, reason):
        return sum(value for name, value in self.stack.samples().items()
                   if name.startswith("collector_dropped_events_total{") and f'reason="{reason}"' in name)

    def is_balanced(self):
        """Received = published + dropped, symbol by symbol: nothing is held any more."""
        received, published, dropped = (self.counted(f"collector_{name}_total")
                                        for name in ("messages_received", "messages_published", "dropped_events"))
        return received and all(count == published.get(symbol, 0) + dropped.get(symbol, 0) for symbol, count in received.items())

    def finish(self):
        """Waits for the end of the data and checks what must hold in every run."""
        self.stats = self.wait_sent()
        trades = self.sent_trades()
        key = "size" if self.exchange == "gmo" else "id"
        wait_for(lambda: len(self.stack.entries("md:trade")) >= len(trades), "every trade is in Redis")
        self.assertEqual([(entry["symbol"], entry[key]) for entry in self.stack.entries("md:trade")], trades)
        wait_for(self.is_balanced, "order books: received = published + dropped")
        self.assertEqual(len(self.reader.logs("connected")), 1)
        self.assertFalse(self.reader.logs("connection lost"))
        entries = self.stack.entries("md:orderbook")
        check_sequence(self.stack.all_entries(), self)
        return self.check_books(entries)

    def check_books(self, entries):
        """{symbol: number of snapshots}"""
        firsts = {(frame["s"], frame["u"]): frame["U"] for frame in self.frames() if frame.get("e") == "depthUpdate"}
        books, snapshots = {}, {}
        for entry in entries:
            book = books.setdefault(entry["symbol"], Book())
            book.apply(entry)
            self.assertFalse(book.is_crossed(), entry["seq"])
            last = int(entry.get("book_seq", 0))
            if entry["kind"] == "snapshot":
                snapshots[entry["symbol"]] = snapshots.get(entry["symbol"], 0) + 1
            elif self.exchange == "binance":
                self.assertLessEqual(firsts[entry["symbol"], last], book.last + 1, "a hole")
                self.assertGreater(last, book.last, "a repeat")
            book.last = last
        self.assertEqual(set(snapshots), set(SYMBOLS[self.exchange].split(",")))
        return snapshots

    def test_binance_lost_deltas_are_found_and_the_book_is_fetched_again(self):
        self.start("binance", 3000, skip_delta_every=100)
        snapshots = self.finish()
        self.assertGreaterEqual(sum(snapshots.values()), 4, snapshots)  # two at the beginning
        gap = self.reader.logs("order book unusable until its next snapshot")[0]
        self.assertRegex(gap["reason"], r"^updates \d+ to \d+ are missing$")
        self.reader.wait_log("order book whole again")

    def test_binance_crossed_books_while_the_exchange_refuses_to_give_whole_ones(self):
        self.start("binance", 3000, cross_book_every=100, rest_status=503, rest_status_count=2)
        self.reader.wait_log("order book not fetched")
        self.assertEqual(self.stack.entries("md:orderbook"), [], "nothing before the first snapshot")
        snapshots = self.finish()
        self.assertGreaterEqual(sum(snapshots.values()), 3, snapshots)
        self.assertGreater(self.dropped("crossed_book"), 0)
        self.assertEqual(self.stack.samples()['collector_errors_total{component="ws-reader",error_type="rest_error"}'], 2)
        self.assertIn("HTTP 503", self.reader.logs("order book not fetched")[0]["reason"])

    def test_binance_retry_after_is_respected(self):
        self.start("binance", 1500, rest_status=429, rest_status_count=1, retry_after=3)
        self.assertGreaterEqual(self.reader.wait_log("order book not fetched")[0]["retry_ms"], 3000)
        self.finish()

    def test_binance_books_are_fetched_over_tls_with_the_certificate_verified(self):
        certificates = Certificates(self.stack.folder)
        cert, key = certificates.make("server", "DNS:localhost")
        _, url = self.stack.simulator("binance", symbols="BTCUSDT", rate=100, tls_cert=cert, tls_key=key)
        port = url.rsplit(":", 1)[1].split("/")[0]
        self.stack.publisher()
        options = {"symbols": "BTCUSDT", "ca_file": certificates.ca, "url": f"wss://localhost:{port}/stream"}
        wrong = self.stack.reader("binance", source="wrong", rest_url=f"https://127.0.0.1:{port}", **options)
        reason = wrong.wait_log("order book not fetched")[0]["reason"]
        self.assertRegex(reason, "(?i)certificate|SSL")  # it names localhost, not the address
        self.assertEqual(wrong.stop(), 0)
        self.stack.reader("binance", source="right", rest_url=f"https://localhost:{port}", **options)
        wait_for(lambda: any(entry["kind"] == "delta" for entry in self.stack.entries("md:orderbook")), "a delta after its snapshot")

    def test_bitflyer_spoiled_books_come_back_with_the_next_snapshot(self):
        self.start("bitflyer", 3000, wrong_mid_every=90, cross_book_every=70, snapshot_interval="1s")
        snapshots = self.finish()
        self.assertGreaterEqual(min(snapshots.values()), 5, snapshots)
        for reason in ("wrong_mid_price", "crossed_book", "book_gap", "before_snapshot"):
            self.assertGreater(self.dropped(reason), 0, reason)

    def test_bitflyer_books_that_nobody_spoils_are_all_published(self):
        self.start("bitflyer", 2000, snapshot_interval="1s")
        self.finish()
        self.assertEqual(self.reader.logs("order book unusable until its next snapshot"), [])
        sent = sum("lightning_board_" in frame.get("params", {}).get("channel", "") for frame in self.frames())
        self.assertEqual(len(self.stack.entries("md:orderbook")) + self.dropped("before_snapshot"), sent)

    def test_gmo_crossed_frames_are_left_out(self):
        self.start("gmo", 2000, cross_book_every=7)
        self.finish()
        frames = [frame for frame in self.frames() if frame.get("channel") == "orderbooks"]
        self.assertEqual(self.stats["crossed_books"], len(frames) // 7)
        self.assertEqual(self.dropped("crossed_book"), len(frames) // 7)
        self.assertEqual(len(self.stack.entries("md:orderbook")), len(frames) - len(frames) // 7)

    def test_raw_books_are_published_as_they_come(self):
        self.start("binance", 600, {"books": "raw"}, cross_book_every=5)
        self.wait_sent()
        sent = [frame["u"] for frame in self.frames() if frame.get("e") == "depthUpdate"]
        wait_for(lambda: len(self.stack.entries("md:orderbook")) == len(sent), "every delta is in Redis")
        self.assertEqual([int(entry["book_seq"]) for entry in self.stack.entries("md:orderbook")], sent)


if __name__ == "__main__":
    unittest.main(verbosity=2)
