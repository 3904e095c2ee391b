#!/usr/bin/python3
"""md-publisher and three real Sentinels: the master is found, killed and left behind under load. What asynchronous replication may lose is
shown by a replica that is stopped; with --redis-wait-replicas nothing is lost."""

import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from md_publisher_refusals_test import EMPTIED, LOST  # noqa: E402
from md_publisher_test import PublisherTest, free_port  # noqa: E402
from mdpipe_stack import wait_for  # noqa: E402
from redis_parts import Node, SentinelTrio  # noqa: E402

REACHED = "Redis reached"
LATE = "too few replicas hold the events; the readers keep them until more do"


class SentinelTest(PublisherTest):
    def setUp(self):
        super().setUp()
        self.trio = self.make_trio()

    def make_trio(self):
        trio = SentinelTrio(self.stack.folder)
        self.addCleanup(trio.close)
        return trio

    def started(self, **options):
        publisher = self.publisher(**{"redis_url": self.trio.url, **options})
        reader = self.reader()
        reader.append(10)
        reader.deliver()
        return publisher, reader

    def load_until(self, reader, condition, what):
        def turn():
            reader.append(20)
            reader.turn()
            return condition()
        return wait_for(turn, what)

    def fail_over(self, reader, end_master):
        """Under load; returns the node that is the master then."""
        old = self.trio.master.port
        end_master()
        port = self.load_until(reader, lambda: self.trio.named() not in (None, old) and self.trio.named(), "another master")
        return next(node for node in self.trio.replicas if node.port == port)

    def seqs_of(self, node):
        return [int(entry["seq"]) for entry in node.entries("md:trade")]

    def assert_whole(self, reader, node):
        self.assertEqual(self.seqs_of(node), list(range(1, reader.last_seq + 1)))


class Failover(SentinelTest):
    def test_a_master_killed_under_load_costs_nothing_that_a_replica_holds(self):
        publisher, reader = self.started(redis_wait_replicas=1)
        self.load_until(reader, lambda: reader.confirmed > 300, "events under way")
        master = self.fail_over(reader, self.trio.master.kill)
        wait_for(lambda: reader.turn() or [line for line in publisher.logs() if line.get("refusal") == "noreplicas"],
                 "replicas are missed")  # one is left, and it is the master
        self.trio.master.start("--replicaof", "127.0.0.1", str(master.port))
        reader.deliver()
        self.assert_whole(reader, master)
        self.assertEqual(publisher.logs(EMPTIED), [])
        self.assertIn(f"127.0.0.1:{master.port}", publisher.logs(REACHED)[-1]["redis"])

    def test_a_master_that_hangs_is_left_and_not_written_to_when_it_comes_back(self):
        publisher, reader = self.started()
        old = self.trio.master
        old.pause()  # the connection stays, nothing answers; --redis-timeout is 10 s
        master = self.fail_over(reader, lambda: None)
        wait_for(lambda: reader.turn() or len(publisher.logs(REACHED)) > 1, "the new master is reached")
        self.assertTrue(any("is not the master any more" in line["reason"] for line in publisher.logs(LOST)), publisher.logs(LOST))
        old.resume()
        held = self.seqs_of(old)
        reader.append(100)
        reader.deliver()
        self.assertEqual(self.seqs_of(master)[-100:], list(range(reader.last_seq - 99, reader.last_seq + 1)))
        self.assertLessEqual(len(self.seqs_of(old)), len(held))

    def test_what_replication_had_not_carried_is_told_as_lost(self):
        publisher, reader = self.started()
        wait_for(lambda: len(self.seqs_of(self.trio.replicas[0])) == 10, "the replica is in step")
        self.trio.master.client.config_set("requirepass", "unknown to the replica")
        self.trio.master.client.execute_command("CLIENT", "KILL", "TYPE", "replica")
        reader.append(50)
        reader.deliver()
        self.trio.master.kill()
        behind = wait_for(lambda: reader.turn() or publisher.logs(EMPTIED), "the loss in the log")
        master = self.trio.replicas[0]
        held = len(self.seqs_of(master))
        self.assertEqual(behind[0]["events"], 60 - held)
        wait_for(lambda: (reader.hear(10), reader.lost)[1] == (held, 60), "the position says what is lost")
        reader.append(20)
        reader.deliver()
        self.assertEqual(self.seqs_of(master), [*range(1, held + 1), *range(61, 81)])


class WithoutFailover(SentinelTest):
    """One trio for all."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="mdpipe-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.shared = SentinelTrio(cls.folder)
        cls.addClassCleanup(cls.shared.close)

    def make_trio(self):
        self.shared.master.client.flushall()
        return self.shared

    def test_any_sentinel_that_answers_will_do(self):
        nobody, hanging = free_port(), self.trio.sentinels[0]
        hanging.pause()
        self.addCleanup(hanging.resume)
        publisher, _ = self.started(redis_url=self.trio.url.replace("://", f"://127.0.0.1:{nobody},"))
        self.assertEqual(publisher.logs(LOST), [])

    def test_a_replica_that_a_sentinel_calls_the_master_is_not_written_to(self):
        wrong = Node(self.stack.folder, sentinel_of=f"sentinel monitor {SentinelTrio.NAME} 127.0.0.1 {self.trio.replicas[0].port} 3\n")
        self.addCleanup(wrong.kill)
        publisher, reader = self.started(redis_url=self.trio.url.replace("://", f"://127.0.0.1:{wrong.port},"))
        self.assertIn("it is a replica", publisher.logs(LOST)[0]["reason"])
        self.assert_whole(reader, self.trio.master)

    def test_replicas_that_are_late_hold_the_confirmation_and_not_the_connection(self):
        publisher, reader = self.started(redis_wait_replicas=1)
        self.trio.replicas[0].pause()
        reader.append(10)
        wait_for(lambda: reader.turn() or publisher.logs(LATE), "the replica is missed")
        self.assertEqual(reader.confirmed, 10)
        self.assertEqual(len(self.seqs_of(self.trio.master)), 20)
        self.trio.replicas[0].resume()
        reader.deliver()
        self.assert_whole(reader, self.trio.master)

    def test_a_service_no_sentinel_knows_and_passwords_of_sentinels(self):
        publisher = self.publisher(redis_url=self.trio.url.replace(SentinelTrio.NAME, "another"))
        self.assertIn("it knows no service 'another'", publisher.wait_log(LOST)[0]["reason"])
        publisher.stop()
        for sentinel in self.trio.sentinels:
            sentinel.client.execute_command("ACL", "SETUSER", "asker", "on", ">secret", "+sentinel|get-master-addr-by-name", "+auth")
            sentinel.client.execute_command("ACL", "SETUSER", "default", "off")
            self.addCleanup(sentinel.client.execute_command, "ACL", "SETUSER", "default", "on")
        publisher = self.publisher(redis_url=self.trio.url)
        self.assertIn("NOAUTH", publisher.wait_log(LOST)[0]["reason"])
        publisher.stop()
        path = os.path.join(self.stack.folder, "password")
        with open(path, "w", encoding="ascii") as file:
            file.write("secret\n")
        publisher = self.publisher(redis_url=self.trio.url, redis_sentinel_user="asker", redis_sentinel_password_file=path)
        publisher.wait_log(REACHED)
        publisher.stop()
        code, sentence = self.error_of(redis_url=f"redis://127.0.0.1:{free_port()}", redis_sentinel_user="asker")
        self.assertEqual(code, 78)
        self.assertIn("--redis-sentinel-", sentence)


if __name__ == "__main__":
    unittest.main(verbosity=2)
