#!/usr/bin/python3
"""md-publisher and a real Redis Cluster of three masters and three replicas: a master is killed, one hangs, slots move, all under load.
In the end each stream has each of its events once and in order."""

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
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="mdpipe-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.cluster = Cluster(cls.folder)
        cls.addClassCleanup(cls.cluster.close)

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
            symbol = SYMBOLS[reader.next_seq % len(SYMBOLS)]
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


if __name__ == "__main__":
    unittest.main(verbosity=2)
