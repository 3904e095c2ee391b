#!/usr/bin/python3
"""md-publisher and a real Redis Cluster of three masters and three replicas: a master is killed, one hangs, slots move, all under load.
In the end each stream has each of its events once and in order."""

import itertools
import os
import shutil
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from md_publisher_refusals_test import LOST  # noqa: E402
from md_publisher_test import PublisherTest  # noqa: E402
from mdpipe_stack import wait_for  # noqa: E402
from redis_parts import Cluster  # noqa: E402

SYMBOLS = [f"S{number}" for number in range(12)]
CONFIG = {"stream_name": "md:{type}:{symbol}", "redis_wait_replicas": 1}


class ClusterTest(PublisherTest):
    """Has no tests itself."""
    symbols = SYMBOLS

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="mdpipe-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.cluster = cls.made()
        cls.addClassCleanup(cls.cluster.close)

    @classmethod
    def made(cls):
        return Cluster(cls.folder)

    def setUp(self):
        super().setUp()
        for node in self.cluster.living():
            if node.client.info("replication")["role"] == "master":
                node.client.flushall()
        self.sent = {}  # symbol -> numbers

    def started(self, **options):
        publisher = self.publisher(redis_url=self.cluster.url, **{**CONFIG, **options})
        reader = self.reader()
        self.append(reader, 24)
        reader.deliver()
        return publisher, reader

    def append(self, reader, count):
        for _ in range(count):
            symbol = self.symbols[reader.next_seq % len(self.symbols)]
            self.sent.setdefault((reader.source, symbol), []).append(reader.next_seq)
            reader.append(1, symbol=symbol)

    def under_load(self, reader, work):
        """Events keep coming until work() has ended."""
        failed = []

        def run():
            try:
                work()
            except BaseException as error:  # shown below
                failed.append(error)
        thread = threading.Thread(target=run)
        thread.start()
        while thread.is_alive():
            self.append(reader, 24)
            reader.turn()
        thread.join()
        if failed:
            raise failed[0]
        self.append(reader, 24)
        reader.deliver(60)

    def assert_whole(self):
        for (source, symbol), numbers in self.sent.items():
            found = [int(entry["seq"]) for entry in self.cluster.entries(f"md:trade:{symbol}") if entry["exchange"] == "gmo"]
            self.assertEqual(found, numbers, (source, symbol))


class Delivery(ClusterTest):
    def test_1_streams_are_spread_and_the_cursors_are_beside_them(self):
        publisher, reader = self.started()
        nodes = {self.cluster.node_of(f"md:trade:{symbol}").port for symbol in SYMBOLS}
        self.assertEqual(len(nodes), 3)
        self.assert_whole()
        cursor = self.cluster.node_of("md:cursor").client.hgetall("md:cursor")
        self.assertEqual(cursor, {"gmo": f"{reader.epoch}:24"})
        beside = self.cluster.node_of("md:trade:S0").client.hgetall("md:cursor:{md:trade:S0}")
        self.assertEqual(beside["gmo"], f"{reader.epoch}:24")
        reader.append(1, kind="feed", channel="trade", state="live", since=1, reason="r")
        reader.deliver()
        self.assertEqual(list(self.cluster.node_of("md:state").client.hgetall("md:state")), ["gmo:trade:BTC_JPY"])
        self.assertEqual(publisher.logs(LOST), [])

    def test_1_a_node_of_a_cluster_that_is_taken_for_one_redis(self):
        publisher = self.publisher(redis_url=f"redis://127.0.0.1:{self.cluster.nodes[0].port}", stream_name="md:{type}:{symbol}")
        reader = self.reader()
        self.append(reader, 24)
        reader.turn()
        line = wait_for(lambda: [log for log in publisher.logs() if log.get("refusal") == "cluster"], "the refusal in the log")[0]
        self.assertIn("redis+cluster://", line["remedy"])

    def test_2_publisher_killed_again_and_again(self):
        publisher, reader = self.started()
        for _ in range(4):
            for _ in range(10):
                self.append(reader, 24)
                reader.turn()
            publisher.kill()
            publisher = self.publisher(redis_url=self.cluster.url, **CONFIG)
        reader.deliver()
        self.assert_whole()

    def test_2_publisher_killed_while_a_part_was_written(self):
        """A master that refuses leaves a transaction written in part; the next publisher writes the rest and nothing twice."""
        publisher, reader = self.started(redis_wait_replicas=0)
        full = self.cluster.node_of("md:trade:S3")
        full.client.config_set("maxmemory", 1)
        self.addCleanup(full.client.config_set, "maxmemory", 0)
        self.append(reader, 120)
        elsewhere = [symbol for symbol in SYMBOLS if self.cluster.node_of(f"md:trade:{symbol}") is not full]
        wait_for(lambda: reader.turn() or any(len(self.cluster.entries(f"md:trade:{symbol}")) > 2 for symbol in elsewhere),
                 "other parts are written")
        wait_for(lambda: [line for line in publisher.logs() if line.get("refusal") == "oom"], "the refusal in the log")
        publisher.kill()
        full.client.config_set("maxmemory", 0)
        self.publisher(redis_url=self.cluster.url, **CONFIG)
        self.append(reader, 24)
        reader.deliver()
        self.assert_whole()

    def test_2_an_answer_that_is_never_heard_doubles_nothing(self):
        publisher, reader = self.started()
        replicas = [node for node in self.cluster.nodes if node.client.info("replication")["role"] == "slave"]
        for node in replicas:
            node.pause()  # the transactions are carried out, and their answers wait for the replicas
            self.addCleanup(node.resume)
        self.append(reader, 12)
        wait_for(lambda: reader.turn() or
                 any(len(self.cluster.entries(f"md:trade:{symbol}")) > 2 for symbol in SYMBOLS), "entries in the masters")
        for node in self.cluster.masters():
            node.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        publisher.wait_log(LOST)
        for node in replicas:
            node.resume()
        reader.deliver()
        self.assert_whole()

    def test_3_slots_that_move(self):
        publisher, reader = self.started()
        masters = self.cluster.masters()

        def move():
            for turn in range(3):
                for symbol in SYMBOLS:
                    self.cluster.move_slot_of(f"md:trade:{symbol}", masters[turn])
                self.cluster.move_slot_of("md:cursor", masters[turn])
        self.under_load(reader, move)
        self.assert_whole()
        self.assertEqual(publisher.logs(LOST), [])

    def test_3_redis_cli_moves_thousands_of_slots(self):
        count = 1500
        first, second, third = self.cluster.masters()
        moving = self.cluster.lowest_slots(first, count)
        names = (f"M{number}" for number in itertools.count())
        self.symbols = list(itertools.islice((name for name in names if self.slot_of(f"md:trade:{name}") in moving), 18)) + SYMBOLS[:6]
        publisher, reader = self.started()

        def reshard():
            self.cluster.reshard(first, second, count)
            self.cluster.reshard(second, third, count)
        self.under_load(reader, reshard)
        self.assertFalse([name for name in self.symbols[:18] if self.cluster.node_of(f"md:trade:{name}") is first])
        self.assert_whole()
        self.assertEqual(publisher.logs(LOST), [])

    def slot_of(self, key):
        return self.cluster.nodes[0].client.execute_command("CLUSTER", "KEYSLOT", key)

    def test_4_a_master_that_hangs_is_left(self):
        publisher, reader = self.started()
        old = self.cluster.node_of("md:trade:S1")

        def hang():
            old.pause()
            wait_for(lambda: any(node.client.info("replication")["role"] == "master" and node is not old and
                                 self.has(node, "md:trade:S1") for node in self.cluster.nodes if node is not old), "a failover")
            wait_for(lambda: [line for line in publisher.logs() if line.get("refusal") == "noreplicas"], "the new master is written to")
            old.resume()  # it is the replica that is waited for
            wait_for(self.cluster.is_whole, "the old master is a replica")
        self.under_load(reader, hang)
        self.assert_whole()

    @staticmethod
    def has(node, key):
        try:
            return node.client.exists(key)
        except Exception:
            return False

    def test_5_a_master_that_is_killed(self):
        publisher, reader = self.started()
        old = self.cluster.node_of("md:trade:S2")

        def kill():
            old.kill()
            wait_for(lambda: self.cluster.node_of("md:trade:S2"), "a failover")
            old.start()
            wait_for(self.cluster.is_whole, "the killed one is a replica")
        self.under_load(reader, kill)
        self.assert_whole()

    def test_6_what_replication_had_not_carried_is_told_as_lost(self):
        """Without --redis-wait-replicas."""
        publisher, reader = self.started(redis_wait_replicas=0)
        old = self.cluster.node_of("md:trade:S0")
        replica = next(node for node in self.cluster.nodes if node.client.info("replication").get("master_port") == old.port)
        wait_for(lambda: len(old.entries("md:trade:S0")) == 2 and replica.client.info("replication")["slave_repl_offset"] ==
                 old.client.info("replication")["master_repl_offset"], "the replica is in step")
        old.client.config_set("requirepass", "unknown to the replica")
        old.client.execute_command("CLIENT", "KILL", "TYPE", "replica")
        self.append(reader, 24)
        reader.deliver()
        old.kill()
        self.append(reader, 24)
        lost = wait_for(lambda: reader.turn() or publisher.logs("a failover lost the newest events of a stream; the feeds in it get a gap"),
                        "the loss in the log")
        reader.deliver()
        self.assertIn(lost[0]["stream"], [f"md:trade:{symbol}" for symbol in SYMBOLS])
        wait_for(lambda: self.listener.sum("collector_redis_lost_events_total"), "the loss in the metrics")
        gaps = wait_for(lambda: self.cluster.entries("md:feed:S0"), "a gap event")
        self.assertEqual((gaps[0]["state"], gaps[0]["reason"]), ("gap", "Redis failed over and lost the newest events"))
        found = [int(entry["seq"]) for entry in self.cluster.entries("md:trade:S0")]
        numbers = self.sent["gmo", "S0"]
        self.assertEqual(found, numbers[:2] + numbers[4:])
        old.start()
        wait_for(self.cluster.is_whole, "the old master is a replica")


class Configuration(PublisherTest):
    def test_what_a_cluster_does_not_have_is_refused(self):
        code, sentence = self.error_of(redis_url="redis+cluster://h/1")
        self.assertEqual(code, 78)
        self.assertIn("no databases", sentence)

    def test_nodes_that_are_none(self):
        self.redis.client.config_set("port", 0)
        publisher = self.publisher(redis_url="redis+cluster://127.0.0.1:1")
        self.assertIn("cannot connect to 127.0.0.1:1", publisher.wait_log(LOST)[0]["reason"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
