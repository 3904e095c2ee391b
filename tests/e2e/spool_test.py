#!/usr/bin/python3
"""Redis is down until the reader has restarted or its memory is full: which events are kept, in which order they arrive, and how
the others are reported. Real programs, the simulator as the exchange, an SQLite file as the spool."""

import glob
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from mdpipe_stack import Stack, wait_for  # noqa: E402

KEPT = "stopped; unconfirmed events are kept in the spool for the next start"


class SpoolTest(unittest.TestCase):
    def setUp(self):
        self.stack = Stack(persistent_redis=True)
        self.addCleanup(self.stack.__exit__)
        self.sent = os.path.join(self.stack.folder, "sent.log")

    def start(self, rate=2000, events=3000):
        self.agent = self.stack.agent()
        self.simulator, self.url = self.stack.simulator("gmo", symbols="BTC_JPY,ETH_JPY", rate=rate, events=events,
                                                        log_sent=self.sent, seed=7)

    def reader(self, **options):
        return self.stack.reader("gmo", symbols="BTC_JPY,ETH_JPY", url=self.url, spool_after="100ms", **options)

    def spool(self, query, folder=None):
        """What the sqlite3 shell reads, once no reader has the file."""
        path = os.path.join(folder or self.stack.folder, "spool-gmo.db")
        return subprocess.run(["sqlite3", path, query], check=True, capture_output=True, text=True).stdout.strip()

    def sent_count(self):
        with open(self.sent, encoding="utf-8") as file:
            return sum(1 for line in file if '"channel"' in line and line.endswith("\n"))

    def stop_exchange(self, events):
        """Once it has sent so many; its record is complete then."""
        wait_for(lambda: self.sent_count() >= events, "the exchange sent all")
        self.simulator.stop()

    def frames_sent(self):
        with open(self.sent, encoding="utf-8") as file:
            return [json.loads(line.rstrip("\n").split("\t", 2)[2]) for line in file if '"channel"' in line]

    def trades_sent(self):
        return [(frame["symbol"], frame["price"], frame["size"]) for frame in self.frames_sent() if frame["channel"] == "trades"]

    def trades_in_redis(self):
        return [(entry["symbol"], entry["price"], entry["size"]) for entry in self.stack.entries("md:trade")]

    def gauge(self, name):
        return self.stack.samples().get(f'{name}{{source="gmo"}}', 0)

    def check_all_arrived(self):
        wait_for(lambda: self.stack.total() >= len(self.frames_sent()), "every frame sent is in Redis")
        self.assertEqual(self.trades_in_redis(), self.trades_sent())
        self.assertEqual(self.stack.total(), len(self.frames_sent()))

    def test_a_backlog_beyond_memory_waits_on_disk_and_comes_in_order_while_live_events_flow(self):
        self.start(rate=4000, events=12_000)
        reader = self.reader(retain_bytes="1MiB")
        wait_for(lambda: self.gauge("collector_spool_bytes") > 1_500_000, "most of it lies on disk")
        self.assertLess(self.gauge("collector_unconfirmed_bytes"), 1_200_000)
        self.stack.publisher()
        self.stop_exchange(12_000)
        self.check_all_arrived()
        wait_for(lambda: self.gauge("collector_spool_bytes") == 0, "the spool is empty")
        self.assertEqual(self.stack.sum_of("collector_dropped_events_total"), 0)
        seqs = sorted(int(entry["seq"]) for entry in self.stack.all_entries())
        self.assertEqual(seqs, list(range(1, len(seqs) + 1)))
        reader.stop()

    def test_sigterm_keeps_the_tail_and_the_next_start_sends_it(self):
        self.start()
        reader = self.reader()
        wait_for(lambda: self.sent_count() >= 1000, "events flow")
        reader.stop()
        stopped = reader.logs(KEPT)[0]
        self.assertEqual(stopped["lost"], 0)
        self.assertEqual(int(self.spool("SELECT sum(count) FROM batch")), stopped["unconfirmed"])
        self.reader()
        self.stop_exchange(2900)
        self.stack.publisher()
        wait_for(lambda: self.stack.total() >= len(self.frames_sent()) - 200, "the tail and what came after it")
        # Only frames that the exchange had sent and the closing connection did not deliver may be missing.
        missing = [trade for trade in self.trades_sent() if trade not in set(self.trades_in_redis())]
        self.assertLess(len(missing), 100)
        found = self.trades_in_redis()
        self.assertEqual(found, [trade for trade in self.trades_sent() if trade not in set(missing)])

    def test_a_killed_reader_loses_only_what_was_not_on_disk(self):
        self.start(rate=1000, events=1000)
        reader = self.reader()
        wait_for(lambda: self.gauge("collector_unconfirmed_events") >= 1000, "all events are kept")
        before = self.gauge("collector_spool_bytes")
        wait_for(lambda: self.gauge("collector_spool_bytes") >= before > 0, "and on disk")
        wait_for(lambda: self.spool_is_complete(reader), "to the last")
        reader.kill()
        self.reader()
        self.stack.publisher()
        self.simulator.stop()
        wait_for(lambda: len(self.trades_in_redis()) >= len(self.trades_sent()), "every trade is in Redis")
        self.assertEqual(self.trades_in_redis(), self.trades_sent())

    def spool_is_complete(self, reader):
        samples = self.stack.samples()
        self.assertTrue(reader.running())
        total = samples['collector_unconfirmed_bytes{source="gmo"}']
        return samples['collector_spool_bytes{source="gmo"}'] >= total > 0

    def test_always_loses_nothing_that_was_read_when_killed(self):
        self.start(rate=1000, events=500)
        reader = self.reader(spool="always")
        wait_for(lambda: self.gauge("collector_unconfirmed_events") >= 500, "all events were read")
        reader.kill()
        self.assertGreaterEqual(int(self.spool("SELECT sum(count) FROM batch")), 500)
        self.reader(spool="always")
        self.stack.publisher()
        self.simulator.stop()
        wait_for(lambda: len(self.trades_in_redis()) >= len(self.trades_sent()), "every trade is in Redis")
        self.assertEqual(self.trades_in_redis(), self.trades_sent())

    def check_gaps_tell_what_is_missing(self):
        """Per channel and symbol: sent = in Redis + lost as the gap events say + nothing else; the metrics say the same."""
        self.stop_exchange(12_000)
        self.stack.publisher()
        wait_for(lambda: self.gauge("collector_unconfirmed_events") == 0, "nothing is held any more")
        channels = {"trades": "trade", "ticker": "ticker", "orderbooks": "orderbook"}
        balance = {}
        for frame in self.frames_sent():
            key = (channels[frame["channel"]], frame["symbol"])
            balance[key] = balance.get(key, 0) + 1
        lost = {}
        for entry in self.stack.entries("md:feed"):
            if "lost" in entry and entry["channel"] != "feed":
                key = (entry["channel"], entry["symbol"])
                self.assertEqual(entry["state"], "gap")
                self.assertLessEqual(int(entry["from"]), int(entry["to"]))
                lost[key] = lost.get(key, 0) + int(entry["lost"])
        self.assertTrue(lost)
        for entry in self.stack.all_entries():
            if entry["type"] != "feed":
                balance[entry["type"], entry["symbol"]] -= 1
        self.assertEqual(balance, {key: lost.get(key, 0) for key in balance})
        counted = {}
        for name, value in self.stack.samples().items():
            if name.startswith("collector_dropped_events_total{") and 'reason="retention"' in name and "feed" not in name:
                labels = dict(part.split("=") for part in name[name.index("{") + 1:-1].replace('"', "").split(","))
                counted[(labels["channel"], labels["symbol"])] = value
        self.assertEqual(counted, lost)

    def test_at_the_last_bound_the_oldest_go_and_a_gap_event_says_how_many_of_what(self):
        self.start(rate=4000, events=12_000)
        self.reader(retain_bytes="1MiB", spool_bytes="1MiB")
        self.check_gaps_tell_what_is_missing()

    def test_without_a_spool_the_bound_is_that_of_memory(self):
        self.start(rate=4000, events=12_000)
        self.reader(retain_bytes="1MiB", spool="off")
        self.check_gaps_tell_what_is_missing()

    def test_a_damaged_spool_is_set_aside_and_the_reader_goes_on(self):
        self.start()
        reader = self.reader()
        wait_for(lambda: self.sent_count() >= 500, "events flow")
        reader.stop()
        path = os.path.join(self.stack.folder, "spool-gmo.db")
        with open(path, "r+b") as file:
            file.seek(2000)
            file.write(b"x" * 6000)
        reader = self.reader()
        reader.wait_log("the spool is unusable; it was set aside")
        self.assertEqual(len(glob.glob(path + ".aside-*[0-9]")), 1)
        self.stack.publisher()
        wait_for(lambda: self.stack.total() > 500, "live events arrive")
        self.assertGreater(self.stack.samples()['collector_errors_total{component="ws-reader",error_type="spool_error"}'], 0)

    @unittest.skipUnless(os.geteuid() == 0, "mounting a small file system needs root")
    def test_a_full_disk_leaves_memory_and_is_used_again_once_there_is_room(self):
        small = tempfile.mkdtemp(prefix="mdpipe-small-")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", small], check=True)
        self.addCleanup(lambda: subprocess.run(["rm", "-rf", small], check=False))
        self.addCleanup(lambda: subprocess.run(["umount", "-l", small], check=False))
        filler = os.path.join(small, "filler")
        with open(filler, "wb") as file:
            file.write(b"x" * 1_400_000)
        self.start(rate=2000, events=6000)
        reader = self.reader(state_dir=small)
        reader.wait_log("cannot write the spool; unconfirmed events are only kept in memory. Free disk space, or set "
                        "--state-dir to a writable folder")
        os.unlink(filler)
        with open(filler, "wb"):
            pass
        subprocess.run(["mount", "-o", "remount,size=64m", small], check=True)
        self.stop_exchange(6000)
        self.assertEqual(reader.stop(), 0)
        self.assertEqual(reader.logs(KEPT)[0]["lost"], 0)
        self.reader(state_dir=small)
        self.stack.publisher()
        wait_for(lambda: len(self.trades_in_redis()) >= len(self.trades_sent()), "every trade is in Redis")
        self.assertEqual(self.trades_in_redis(), self.trades_sent())


if __name__ == "__main__":
    unittest.main(verbosity=2)
