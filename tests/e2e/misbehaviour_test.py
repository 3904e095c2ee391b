#!/usr/bin/python3
"""An exchange that misbehaves: bad frames, closed connections, refusals. Good events still arrive."""

import json
import os
import sys
import unittest

import msgpack
import zmq

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from mdpipe_stack import Stack, check_sequence, wait_for  # noqa: E402

SYMBOLS = "BTC_JPY,ETH_JPY"


class MisbehaviourTest(unittest.TestCase):
    def setUp(self):
        self.stack = Stack()
        self.addCleanup(self.stack.__exit__)
        self.sent = os.path.join(self.stack.folder, "sent.log")

    def start(self, exchange="gmo", reader_options=None, **simulator_options):
        self.publisher = self.stack.publisher()
        self.agent = self.stack.agent()
        options = {"symbols": SYMBOLS, "rate": 1000, "seed": 3, "log_sent": self.sent, **simulator_options}
        self.simulator, self.url = self.stack.simulator(exchange, **options)
        self.reader = self.stack.reader(exchange, symbols=SYMBOLS, url=self.url,
                                        **{"reconnect_delay_min": "50ms", "reconnect_delay_max": "200ms", **(reader_options or {})})

    def errors(self, error_type):
        return self.stack.samples().get(f'collector_errors_total{{component="ws-reader",error_type="{error_type}"}}', 0)

    def good_frames(self):
        """Frames of GMO's three channels that the simulator sent whole."""
        good = []
        with open(self.sent, encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    frame = json.loads(line.rstrip("\n").split("\t", 2)[2])
                except (ValueError, IndexError):  # garbage, or a line that is being written
                    continue
                if isinstance(frame, dict) and frame.get("channel") in ("ticker", "trades", "orderbooks"):
                    good.append(frame)
        return good

    def test_garbage_costs_no_good_event(self):
        self.start(events=1500, garbage_every=25, garbage_kinds="truncated,binary,invalid-utf8,deep-nesting,long-number,unknown-channel")
        wait_for(lambda: len(self.good_frames()) >= 1500, "the exchange sent its events")
        self.simulator.stop()
        wait_for(lambda: self.stack.total() == len(self.good_frames()), "the good events are in Redis")
        found = [(entry["symbol"], entry["price"], entry["size"]) for entry in self.stack.entries("md:trade")]
        self.assertEqual(found, [(frame["symbol"], frame["price"], frame["size"]) for frame in self.good_frames()
                                 if frame["channel"] == "trades"])
        check_sequence(self.stack.all_entries(), self)
        for error_type in ("parse_error", "unknown_channel", "binary_frame"):
            wait_for(lambda kind=error_type: self.errors(kind) > 0, f"{error_type} is counted")
        self.assertEqual(len(self.reader.logs("connected")), 1)

    def test_connection_closed_again_and_again(self):
        self.start(events=0, close_after=300)
        wait_for(lambda: self.stack.total() >= 1500, "events flow over several connections")
        lost = self.reader.wait_log("connection lost", 3)[0]
        self.assertEqual((lost["code"], lost["reason"]), (1012, "scheduled maintenance"))
        wait_for(lambda: self.stack.sum_of("collector_reconnects_total") >= 3, "reconnects are counted")
        self.reader.stop()
        check_sequence(self.stack.all_entries(), self)

    def test_connection_cut_without_a_word(self):
        self.start(drop_after=400)
        wait_for(lambda: self.stack.total() >= 1000, "events flow again")
        self.assertEqual(self.reader.wait_log("connection lost")[0]["code"], 1006)

    def test_refused_with_503_then_let_in(self):
        self.start(refuse_http=503, refuse_count=2, retry_after=1)
        wait_for(lambda: self.stack.total() >= 100, "events after the refusals")
        refused = self.reader.logs("connection failed")
        self.assertEqual(len(refused), 2)
        self.assertTrue(all(entry["retry_ms"] >= 1000 and "503" in entry["reason"] for entry in refused), refused)

    def test_unanswered_pings_end_the_connection(self):
        self.start(reader_options={"ping_interval": "200ms", "pong_timeout": "300ms"}, no_pong="true")
        self.assertIn("no pong", self.reader.wait_log("connection lost")[0]["reason"])
        self.reader.wait_log("connected", 2)

    def test_inflating_frame_is_skipped(self):
        self.start(bomb_after=100, bomb_bytes="4MiB", deflate="true", reader_options={"frame_bytes_max": "1MiB"})
        wait_for(lambda: self.stack.total() >= 1000, "events go on after it")
        wait_for(lambda: self.errors("frame_too_large") >= 1, "it is counted")
        self.assertEqual(len(self.reader.logs("connected")), 1)

    def test_exchange_that_cannot_be_reached(self):
        reader = self.stack.reader("gmo", symbols="BTC_JPY", url="ws://127.0.0.1:1/", no_retry="true")
        self.assertEqual(reader.wait(), 69)

    def test_tap_offers_each_event_and_a_stuck_consumer_costs_nothing(self):
        context = zmq.Context()
        self.addCleanup(context.destroy, 0)
        tap, stuck = context.socket(zmq.SUB), context.socket(zmq.SUB)
        for socket in (tap, stuck):
            socket.setsockopt(zmq.LINGER, 0)
        tap.connect(f"ipc://{self.stack.folder}/tap-gmo")
        tap.subscribe("gmo.trade.BTC_JPY")
        stuck.setsockopt(zmq.RCVHWM, 1)
        stuck.connect(f"ipc://{self.stack.folder}/tap-gmo")
        stuck.subscribe("")
        self.start(events=3000)
        wait_for(lambda: self.stack.total() >= 3000, "every event is in Redis")
        self.assertTrue(tap.poll(10_000), "the tap offers trades")
        topic, payload = tap.recv_multipart()
        self.assertEqual(topic, b"gmo.trade.BTC_JPY")
        event = msgpack.unpackb(payload)
        entry = next(entry for entry in self.stack.entries("md:trade") if entry["seq"] == str(event["seq"]))
        self.assertEqual({key: str(value) for key, value in event.items()}, entry)

    def test_metrics_off(self):
        self.start(events=500, reader_options={"enable_metrics": "false"})
        wait_for(lambda: self.stack.total() >= 500, "events flow")
        wait_for(lambda: self.stack.sum_of("collector_messages_published_total") >= 500, "the publisher still counts")
        self.assertNotIn("collector_messages_received_total{", self.stack.http("/metrics")[1])


if __name__ == "__main__":
    unittest.main(verbosity=2)
