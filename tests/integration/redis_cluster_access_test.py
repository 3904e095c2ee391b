#!/usr/bin/python3
"""The way to a Redis Cluster whose nodes speak nothing but TLS: host names and certificates of every node are verified, ours is shown, the
user has the documented rights and no others. A real Cluster, with a failover and slots that move while events flow."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from md_publisher_refusals_test import LOST  # noqa: E402
from mdpipe_stack import wait_for  # noqa: E402
from redis_cluster_test import CONFIG, SYMBOLS, ClusterTest  # noqa: E402
from redis_parts import Authority, Cluster, documented_acl_rule  # noqa: E402

RIGHTS = documented_acl_rule("CLUSTER")


class Access(ClusterTest):
    @classmethod
    def made(cls):
        """The nodes know each other by address and tell clients a name: the certificate is for the name alone."""
        cls.ca = Authority(cls.folder)
        cls.client = cls.ca.sign("client")
        return Cluster(cls.folder, "--cluster-announce-hostname", "localhost", tls=(cls.ca.cert, *cls.ca.sign("nodes")))

    def setUp(self):
        super().setUp()
        self.acl("md", "reset")
        self.acl(*RIGHTS)
        self.password = os.path.join(self.stack.folder, "password")
        with open(self.password, "w", encoding="ascii") as file:
            file.write("PASSWORD\n")

    def acl(self, *rule):
        for node in self.cluster.living():
            node.client.execute_command("ACL", "SETUSER", *rule)

    def options(self, **more):
        cert, key = self.client
        return {"redis_user": "md", "redis_password_file": self.password, "redis_tls_ca_file": self.ca.cert,
                "redis_tls_cert_file": cert, "redis_tls_key_file": key, **more}

    def test_1_events_flow_with_the_documented_rights_while_slots_move_and_a_master_dies(self):
        publisher, reader = self.started(**self.options())
        reader.append(1, kind="feed", channel="trade", state="live", since=1, reason="r")
        reader.deliver()
        masters = self.cluster.masters()

        def move():
            for turn in range(2):
                for symbol in SYMBOLS:
                    self.cluster.move_slot_of(f"md:trade:{symbol}", masters[turn])
        self.under_load(reader, move)
        self.assertEqual([line for line in publisher.logs() if line["level"] >= 40 and line.get("refusal") not in ("cluster", "noreplicas")], [])
        old = self.cluster.node_of("md:trade:S2")

        def kill():
            old.kill()
            wait_for(lambda: self.cluster.node_of("md:trade:S2"), "a failover")
            old.start()
            old.client.execute_command("ACL", "SETUSER", *RIGHTS)
            wait_for(self.cluster.is_whole, "the killed one is a replica")
        self.under_load(reader, kill)
        self.assert_whole()
        self.assertNotIn("PASSWORD", "".join(publisher.lines + publisher.errors))

    def test_2_a_missing_right_is_named(self):
        for right in (word for word in RIGHTS if word.startswith("+") and word != "+asking"):
            self.acl("md", right.replace("+", "-"))
            publisher = self.publisher(redis_url=self.cluster.url, **CONFIG, **self.options())
            reader = self.reader(f"without{right}")
            self.append(reader, 12)
            reader.append(1, kind="feed", channel="trade", state="live", since=1, reason="r")
            rule = f"ACL SETUSER md {right}"
            wait_for(lambda p=publisher, r=reader, words=rule: r.turn() or [line for line in p.logs() if words in line.get("remedy", "")],
                     f"'{rule}' in the log")
            self.acl("md", right)
            reader.deliver()  # nothing has to be restarted
            publisher.kill()
            reader.close()

    def test_2_the_right_that_moving_slots_need_is_named(self):
        publisher, reader = self.started(**self.options())
        source = self.cluster.node_of("md:trade:S0")
        target = next(node for node in self.cluster.masters() if node is not source)
        self.acl("md", "-asking")
        slot = self.cluster.begin_move("md:trade:S0", source, target)
        self.cluster.migrate(target, source, "md:trade:S0", "md:cursor:{md:trade:S0}")
        self.append(reader, 24)
        wait_for(lambda: reader.turn() or [line for line in publisher.logs() if "md +asking" in line.get("remedy", "")], "the right in the log")
        self.acl("md", "+asking")
        reader.deliver()
        self.cluster.end_move(slot, source, target)
        self.assert_whole()

    def refused(self, in_reason, in_remedy, **options):
        publisher = self.publisher(redis_url=self.cluster.url, **CONFIG, **self.options(**options))
        line = publisher.wait_log(LOST)[0]
        self.assertEqual((line["level"], line["refusal"]), (50, "tls"), line)
        self.assertIn(in_reason, line["reason"])
        self.assertIn(in_remedy, line["remedy"])
        publisher.stop()

    def test_3_certificates_are_verified_on_both_sides(self):
        strange = Authority(self.stack.folder, "strange")
        self.refused("certificate is not accepted", "--redis-tls-ca-file", redis_tls_ca_file=strange.cert)
        self.refused("ostname mismatch", "'elsewhere'", redis_tls_server_name="elsewhere")
        cert, key = strange.sign("stranger")
        self.refused("unknown ca", "--redis-tls-cert-file", redis_tls_cert_file=cert, redis_tls_key_file=key)

    def test_3_a_node_with_the_name_of_another_gets_nothing(self):
        publisher, reader = self.started(**self.options())
        node = self.cluster.node_of("md:trade:S1")
        cert, key = self.ca.sign("elsewhere", "DNS:elsewhere")
        ours = node.client.config_get("tls-*-file")
        node.client.execute_command("CONFIG", "SET", "tls-cert-file", cert, "tls-key-file", key)
        self.addCleanup(node.client.execute_command, "CONFIG", "SET", "tls-cert-file", ours["tls-cert-file"], "tls-key-file", ours["tls-key-file"])
        before = node.entries("md:trade:S1")
        node.client.execute_command("CLIENT", "KILL", "USER", "md")
        self.append(reader, 24)
        line = wait_for(lambda: reader.turn() or [line for line in publisher.logs(LOST) if line.get("refusal") == "tls"], "the refusal in the log")[0]
        self.assertIn("ostname mismatch", line["reason"])
        self.assertEqual(node.entries("md:trade:S1"), before)
        node.client.execute_command("CONFIG", "SET", "tls-cert-file", ours["tls-cert-file"], "tls-key-file", ours["tls-key-file"])
        reader.deliver()
        self.assert_whole()


if __name__ == "__main__":
    unittest.main(verbosity=2)
