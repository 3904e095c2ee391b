#!/usr/bin/python3
"""The whole pipeline under load and under faults, against the simulator's own record of what it sent."""

import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from mdpipe_stack import Stack, check_sequence, wait_for, window_totals  # noqa: E402

EVENTS = 3000


def sent_trades(path):
    """(symbol, price, size) of each trade frame in the simulator's log, in order."""
    trades = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            frame = json.loads(line.rstrip("\n").split("\t", 2)[2])
            if frame.get("channel") == "trades":
                trades.append((frame["symbol"], frame["price"], frame["size"]))
    return trades


class PipelineTest(unittest.TestCase):
    def setUp(self):
        self.stack = Stack(persistent_redis=True)
        self.addCleanup(self.stack.__exit__)

    def start(self, rate=2000, **reader_options):
        """publisher, agent, simulator and a GMO reader on two symbols."""
        self.sent = os.path.join(self.stack.folder, "sent.log")
        self.publisher = self.stack.publisher(reconnect_delay_max="200ms")
        self.agent = self.stack.agent()
        self.simulator, self.url = self.stack.simulator("gmo", symbols="BTC_JPY,ETH_JPY", rate=rate, events=EVENTS,
                                                        log_sent=self.sent, seed=7)
        self.reader = self.stack.reader("gmo", symbols="BTC_JPY,ETH_JPY", url=self.url, **reader_options)

    def frames_sent(self):
        with open(self.sent, encoding="utf-8") as file:
            return sum(1 for line in file if '"channel"' in line)

    def check_complete(self):
        """Every frame the exchange sent is in Redis, once and in order."""
        wait_for(lambda: self.frames_sent() >= EVENTS, "the exchange sent its events")
        self.simulator.stop()  # its log is complete then
        wait_for(lambda: self.stack.total() == self.frames_sent(), "every frame sent is in Redis")
        found = [(entry["symbol"], entry["price"], entry["size"]) for entry in self.stack.entries("md:trade")]
        self.assertEqual(found, sent_trades(self.sent))
        entries = self.stack.all_entries()
        check_sequence(entries, self)

    def enough(self, count):
        """Waits until Redis holds that many events, so that a fault hits in the middle."""
        wait_for(lambda: self.stack.total() >= count, f"{count} events in Redis")

    def test_events_counts_and_windows_agree(self):
        self.start()
        self.check_complete()
        in_redis = {}
        for kind in ("trade", "ticker", "orderbook"):
            for entry in self.stack.entries(f"md:{kind}"):
                key = (kind, entry["symbol"])
                in_redis[key] = in_redis.get(key, 0) + 1

        def counted(metric, label, prefix=""):
            pattern = re.compile(rf'{metric}{{exchange="gmo",{label}="{prefix}((?!feed)\w+)",symbol="(\w+)"}}$')
            matches = ((pattern.match(name), value) for name, value in self.stack.samples().items())
            return {match.groups(): value for match, value in matches if match and value}

        wait_for(lambda: counted("collector_messages_received_total", "channel") == in_redis, "received equals Redis")
        wait_for(lambda: counted("collector_messages_published_total", "stream", "md:") == in_redis, "published equals Redis")
        self.reader.stop()
        self.publisher.stop()
        self.agent.stop()
        by_key = {f"{kind}:{symbol}": count for (kind, symbol), count in in_redis.items()}
        received = {key: count for key, count in window_totals(self.agent, "received").items() if count}
        self.assertEqual(received, by_key)
        self.assertEqual({f"md:{key}": count for key, count in by_key.items()},
                         {key: count for key, count in window_totals(self.agent, "published").items() if count})

    def test_publisher_killed_and_restarted(self):
        self.start()
        for count in (500, 1500):
            self.enough(count)
            self.publisher.kill()
            self.publisher = self.stack.publisher()
        self.check_complete()

    def test_publisher_restarted_in_order(self):
        self.start()
        self.enough(300)
        self.assertEqual(self.publisher.stop(), 0)
        self.publisher = self.stack.publisher()
        self.check_complete()

    def test_redis_killed_and_restarted(self):
        self.start()
        self.enough(300)
        self.stack.redis.kill()
        self.publisher.wait_log("Redis lost; the readers keep the events")
        self.stack.redis.start()
        self.check_complete()

    def test_redis_emptied_is_told_feed_by_feed_and_states_come_back(self):
        self.start(rate=200)
        self.enough(300)
        self.stack.redis.client.flushall()
        redis_lost = "Redis lost events that it had confirmed"
        feeds = {(channel, symbol) for channel in ("ticker", "trade", "orderbook") for symbol in ("BTC_JPY", "ETH_JPY")}

        def told():
            return {(entry["channel"], entry["symbol"]) for entry in self.stack.entries("md:feed")
                    if entry["state"] == "gap" and entry["reason"] == redis_lost}
        wait_for(lambda: told() == feeds, "a gap event for every feed")
        wait_for(lambda: set(self.stack.redis.client.hgetall("md:state")) ==
                 {f"gmo:{channel}:{symbol}" for channel, symbol in feeds}, "md:state is filled again")
        self.assertEqual(json.loads(self.stack.redis.client.hget("md:state", "gmo:trade:BTC_JPY"))["state"], "live")
        wait_for(lambda: self.stack.sum_of("collector_redis_lost_events_total") > 0, "the counter says so")

    def test_a_second_living_reader_of_a_name_ends_and_the_first_goes_on(self):
        """They share no folder, so only md-publisher can tell."""
        self.start(rate=100)
        self.enough(20)
        folder = os.path.join(self.stack.folder, "elsewhere")
        os.mkdir(folder)
        links = {f"{name}_endpoint": f"ipc://{self.stack.folder}/{name}" for name in ("events", "positions")}
        second = self.stack.reader("gmo", symbols="BTC_JPY", url=self.url, **{**links, "runtime_dir": folder})
        self.assertEqual(second.wait(), 69)
        self.assertTrue(second.logs("md-publisher hears another reader of this name; give each reader its own --source"))
        before = self.stack.total()
        wait_for(lambda: self.stack.total() > before + 20, "the first reader's events go on")
        self.assertTrue(self.reader.running())

    def test_redis_stalls(self):
        self.start()
        self.enough(300)
        self.stack.redis.pause()
        size = os.path.getsize(self.sent)
        wait_for(lambda: os.path.getsize(self.sent) > size + 200_000, "the exchange goes on sending")
        self.stack.redis.resume()
        self.check_complete()

    def test_connection_to_redis_cut(self):
        self.start()
        for count in (500, 1000, 1500):
            self.enough(count)
            self.stack.redis.client.client_kill_filter(_type="normal", skipme=True)
        self.check_complete()

    def test_agent_killed_costs_no_event_and_no_count(self):
        self.start()
        self.enough(300)
        self.agent.kill()
        self.agent = self.stack.agent()
        self.check_complete()
        total = self.stack.total()
        wait_for(lambda: self.stack.sum_of("collector_messages_published_total") == total, "published equals Redis")
        wait_for(lambda: self.stack.sum_of("collector_messages_received_total") == total, "received equals Redis")

    def test_reader_starts_before_everybody_else(self):
        self.sent = os.path.join(self.stack.folder, "sent.log")
        self.simulator, self.url = self.stack.simulator("gmo", symbols="BTC_JPY,ETH_JPY", rate=2000, events=EVENTS,
                                                        log_sent=self.sent, seed=7)
        self.reader = self.stack.reader("gmo", symbols="BTC_JPY,ETH_JPY", url=self.url)
        wait_for(lambda: os.path.getsize(self.sent) > 200_000, "events flow")
        self.publisher = self.stack.publisher()
        self.agent = self.stack.agent()
        self.check_complete()

    def test_reader_drains_on_sigterm(self):
        self.start()
        self.enough(300)
        self.assertEqual(self.reader.stop(), 0)
        stopped = self.reader.logs("stopped")[-1]
        self.assertEqual(stopped["unconfirmed"], 0)
        entries = self.stack.all_entries()
        self.assertEqual(self.stack.total(), stopped["events"])
        check_sequence(entries, self)


if __name__ == "__main__":
    unittest.main(verbosity=2)
