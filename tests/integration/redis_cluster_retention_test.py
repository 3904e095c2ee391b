#!/usr/bin/python3
"""What md-publisher looks after in a real Redis Cluster, as in one Redis: age and bytes of streams, nodes that are nearly full, streams that
someone cut, keys of another type."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from md_publisher_refusals_test import CUT, HELD, UNGUARDED  # noqa: E402
from mdpipe_stack import wait_for  # noqa: E402
from redis_cluster_test import CONFIG, SYMBOLS, ClusterTest  # noqa: E402
from redis_retention_test import EVICTS, NEARLY_FULL, NOT_KEPT  # noqa: E402

STREAMS = [f"md:trade:{symbol}" for symbol in SYMBOLS]


class Retention(ClusterTest):
    def node(self, stream):
        return self.cluster.node_of(stream).client

    def length(self, stream):
        return self.node(stream).xlen(stream)

    def gaps(self, symbol):
        return [entry for entry in self.cluster.entries(f"md:feed:{symbol}") if entry["state"] == "gap"]

    def test_entries_grow_old_in_every_node_also_where_nothing_is_written(self):
        publisher, reader = self.started(maxage="2s")
        self.append(reader, 12 * 400)
        reader.deliver()
        target = self.cluster.masters()[0]
        for stream in STREAMS[:6]:
            self.cluster.move_slot_of(stream, target)  # no event comes that would show the move
        for stream in STREAMS:
            wait_for(lambda s=stream: self.length(s) <= 100, f"old entries of {stream} are gone but for the last node")
        self.append(reader, 12)
        reader.deliver()
        self.assertEqual(publisher.logs(CUT), [])

    def test_all_streams_of_all_nodes_together_stay_below_their_bytes(self):
        limit = 400 * 1024
        publisher, reader = self.started(maxlen="0", stream_bytes_max=limit)
        for _ in range(4):
            self.append(reader, 12 * 300)
            reader.deliver()

        def total():
            return sum(self.node(stream).memory_usage(stream) for stream in STREAMS)
        wait_for(lambda: total() <= limit, "less memory than the limit")
        wait_for(lambda: 0 < (self.listener.value("collector_stream_bytes", "md-publisher") or 0) <= limit, "the gauge says so")
        for stream in STREAMS:
            self.assertGreater(self.length(stream), 0)
        self.assertEqual(publisher.logs(CUT), [])

    def test_a_node_that_is_nearly_full_is_named_before_it_refuses(self):
        node = self.cluster.node_of(STREAMS[0])
        self.addCleanup(node.client.config_set, "maxmemory", 0)
        self.addCleanup(node.client.config_set, "maxmemory-policy", "noeviction")
        used = int(node.client.info("memory")["used_memory"])
        node.client.config_set("maxmemory-policy", "allkeys-lru")
        node.client.config_set("maxmemory", int(used * 1.05))
        publisher, _ = self.started()
        line = publisher.wait_log(NEARLY_FULL)[0]
        self.assertEqual(line["node"], f"127.0.0.1:{node.port}")
        self.assertGreater(line["used_bytes"], 0.9 * line["max_bytes"])
        publisher.wait_log(EVICTS)
        wait_for(lambda: self.listener.value("collector_redis_memory_max_bytes", "md-publisher") == int(used * 1.05), "the limit's gauge")

    def test_a_stream_that_someone_cut_is_told_with_its_number(self):
        publisher, reader = self.started()
        self.append(reader, 12 * 20)
        reader.deliver()
        self.node("md:trade:S1").xtrim("md:trade:S1", maxlen=10, approximate=False)
        self.node("md:trade:S2").delete("md:trade:S2")
        removed = {"md:trade:S1": 12, "md:trade:S2": 22}

        def told():
            self.append(reader, 12)
            reader.turn()
            return {line["stream"] for line in publisher.logs(CUT)} == set(removed)
        # At most once a second is logged, but each is counted.
        wait_for(lambda: told() or all(self.listener.value("collector_stream_entries_removed_total", stream) for stream in removed), "the cuts")
        reader.deliver()
        for stream, count in removed.items():
            self.assertEqual(self.listener.value("collector_stream_entries_removed_total", stream), count)
            gap, = wait_for(lambda s=stream: self.gaps(s[-2:]), "a gap event")
            self.assertEqual((gap["reason"], gap["lost"]), ("someone deleted or trimmed the stream", str(count)))
        self.assertFalse(self.gaps("S3"))

    def test_a_node_that_someone_emptied_is_told(self):
        publisher, reader = self.started()
        self.node("md:trade:S0").flushall()
        self.append(reader, 24)
        reader.deliver()
        wait_for(lambda: reader.turn() or self.gaps("S0"), "a gap event")
        self.append(reader, 24)
        reader.deliver()
        self.assertEqual(publisher.logs(CUT), [])
        self.assertEqual([int(entry["seq"]) for entry in self.cluster.entries("md:trade:S0")], self.sent["gmo", "S0"][2:])

    def test_a_key_of_another_type_costs_nothing(self):
        for key in ("md:trade:S4", "md:state", "md:cursor", "md:cursor:{md:trade:S4}"):
            with self.subTest(key):
                self.setUp_keys()
                self.node(key).set(key, "something else")
                publisher = self.publisher(redis_url=self.cluster.url, **CONFIG)
                reader = self.reader()
                self.append(reader, 24)
                reader.append(1, kind="feed", channel="trade", state="live", since=1, reason="r")
                line = wait_for(lambda p=publisher, r=reader: r.turn() or [log for log in p.logs(HELD) if log["refusal"] == "wrongtype"],
                                "the refusal in the log")[0]
                self.assertEqual((line["level"], line["key"]), (50, key))
                self.node(key).delete(key)
                reader.deliver()
                self.assert_whole()
                self.assertEqual(self.listener.sum("collector_dropped_events_total"), 0)
                publisher.stop()

    def setUp_keys(self):
        self.sent = {}
        for node in self.cluster.masters():
            node.client.flushall()

    def test_without_the_rights_for_it_events_are_written_all_the_same(self):
        for node in self.cluster.living():
            node.client.execute_command("ACL", "SETUSER", "md", "reset", "on", ">pw", "~md:*", "-@all", "+multi", "+exec", "+xadd", "+hset",
                                        "+hgetall", "+cluster|nodes", "+asking", "+wait")
        self.addCleanup(lambda: [node.client.execute_command("ACL", "DELUSER", "md") for node in self.cluster.living()])
        publisher = self.publisher(redis_url=self.cluster.url.replace("://", "://md:pw@"), maxage="1h", stream_bytes_max=10**6, **CONFIG)
        reader = self.reader()
        self.append(reader, 24)
        reader.deliver()
        self.assertIn("ACL SETUSER md +xlen", publisher.wait_log(UNGUARDED)[0]["remedy"])
        publisher.wait_log(NOT_KEPT)
        self.append(reader, 24)
        reader.deliver()
        self.assert_whole()


if __name__ == "__main__":
    unittest.main(verbosity=2)
