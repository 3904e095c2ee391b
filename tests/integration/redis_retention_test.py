#!/usr/bin/python3
"""What md-publisher keeps in Redis: by age, by bytes of all streams together, and what it says before Redis is full. A real redis-server."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from md_publisher_refusals_test import CUT, RefusalTest  # noqa: E402
from mdpipe_stack import wait_for  # noqa: E402

NEARLY_FULL = "Redis has nearly reached maxmemory; at maxmemory it refuses writes"
EVICTS = "at maxmemory this Redis deletes streams and positions to make room"
NOT_KEPT = "Redis forbids to read or limit its memory use; streams may grow until it refuses writes"


class Retention(RefusalTest):
    persistent = False

    def length(self, stream="md:trade"):
        return self.redis.client.xlen(stream)

    def test_entries_grow_old_also_where_nothing_is_written(self):
        publisher = self.publisher(maxage="1s,ticker=0")
        reader = self.reader()
        reader.append(1000)
        reader.append(500, kind="ticker")
        reader.deliver()
        wait_for(lambda: self.length() <= 100, "old entries are gone but for the last node")
        self.assertEqual(self.length("md:ticker"), 500)
        reader.append(300)
        reader.deliver()
        self.assertEqual(self.seqs()[-300:], list(range(1501, 1801)))
        wait_for(lambda: self.length() <= 100, "those grow old too")
        self.assertEqual(publisher.logs(CUT), [])
        self.assertEqual(self.gaps(), [])

    def test_all_streams_together_stay_below_their_bytes(self):
        limit = 300 * 1024
        publisher = self.publisher(maxlen="0", stream_name="md:{symbol}", stream_bytes_max=limit)
        reader = self.reader()
        symbols = {"A": 3000, "B": 6000, "C": 300}
        for symbol, count in symbols.items():
            reader.append(count, symbol=symbol)
        reader.deliver()

        def total():
            return sum(self.redis.client.memory_usage(f"md:{symbol}") for symbol in symbols)
        self.assertGreater(total(), limit)
        wait_for(lambda: total() <= limit, "less memory than the limit")
        wait_for(lambda: 0 < (self.listener.value("collector_stream_bytes", "md-publisher") or 0) <= limit, "the gauge says so")
        lengths = {symbol: self.length(f"md:{symbol}") for symbol in symbols}
        self.assertGreater(lengths["B"], lengths["A"])
        self.assertGreater(lengths["A"], lengths["C"])
        self.assertEqual(self.seqs("md:C")[-1], reader.last_seq)
        reader.append(2000, symbol="A")
        reader.deliver()
        wait_for(lambda: total() <= limit, "the same again")
        self.assertEqual(publisher.logs(CUT), [])

    def test_a_redis_that_is_nearly_full_is_told_before_it_refuses(self):
        config = self.redis.client.config_set
        publisher, _ = self.running()
        used = int(self.redis.client.info("memory")["used_memory"])
        config("maxmemory-policy", "allkeys-lru")
        config("maxmemory", int(used * 1.08))
        line = publisher.wait_log(NEARLY_FULL)[0]
        self.assertEqual(line["level"], 40)
        self.assertGreater(line["used_bytes"], 0.9 * line["max_bytes"])
        self.assertIn("--stream-bytes-max", line["remedy"])
        self.assertIn("noeviction", publisher.wait_log(EVICTS)[0]["remedy"])
        wait_for(lambda: self.listener.value("collector_redis_memory_max_bytes", "md-publisher") == int(used * 1.08), "the limit's gauge")
        self.assertGreater(self.listener.value("collector_redis_memory_used_bytes", "md-publisher"), used / 2)

    def test_without_the_rights_for_it_events_are_written_all_the_same(self):
        url = self.user("~md:*", "+xadd", "+xlen", "+hset", "+hgetall", "+multi", "+exec")
        publisher, reader = self.running(maxage="1h", stream_bytes_max=10**6, **url)
        remedies = [line["remedy"] for line in publisher.wait_log(NOT_KEPT)]
        self.assertTrue(any("+info" in remedy or "+xtrim" in remedy or "+memory|usage" in remedy for remedy in remedies))
        reader.append(10)
        reader.deliver()
        self.assert_exactly_once(reader)


if __name__ == "__main__":
    unittest.main(verbosity=2)
