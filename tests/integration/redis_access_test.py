#!/usr/bin/python3
"""The ways to one Redis: TLS with certificates of every kind, ACL users, where the user and the password come from. A real redis-server
whose certificate is changed while it runs."""

import os
import socket
import ssl
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from md_publisher_test import PublisherTest, free_port  # noqa: E402
from redis_parts import Authority, documented_acl_rule  # noqa: E402

LOST = "Redis lost; the readers keep the events"
REACHED = "Redis reached"
RIGHTS = documented_acl_rule("WHEN REDIS REFUSES")


class AccessTest(PublisherTest):
    def setUp(self):
        super().setUp()
        self.port = free_port()

    def delivers(self, publisher=None, kinds=("trade",), **options):
        publisher = publisher or self.publisher(**options)
        reader = self.reader()
        for kind in kinds:
            reader.append(5, kind=kind)
        reader.append(1, kind="feed", channel="trade", state="live", since=1, reason="r")
        reader.deliver()
        return publisher

    def file(self, name, content):
        path = os.path.join(self.stack.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
        return path


class Tls(AccessTest):
    def setUp(self):
        super().setUp()
        self.ca = Authority(self.stack.folder)
        self.good = self.ca.sign("server")
        self.client = self.ca.sign("client")
        self.serve(self.good, ca=self.ca.cert, clients="no")
        self.redis.client.config_set("tls-port", self.port)

    def serve(self, certificate, ca=None, clients=None):
        settings = {"tls-cert-file": certificate[0], "tls-key-file": certificate[1]}
        if ca:
            settings["tls-ca-cert-file"] = ca
        if clients:
            settings["tls-auth-clients"] = clients
        self.redis.client.execute_command("CONFIG", "SET", *sum(settings.items(), ()))

    def tls(self, host="localhost", **more):
        return {"redis_url": f"rediss://{host}:{self.port}", "redis_tls_ca_file": self.ca.cert, **more}

    def refused(self, words, in_remedy, **options):
        """The publisher, whose first error says these words and this remedy."""
        publisher = self.publisher(**options)
        line = publisher.wait_log(LOST)[0]
        self.assertEqual((line["level"], line["refusal"]), (50, "tls"), line)
        self.assertIn(words, line["reason"])
        self.assertIn(in_remedy, line["remedy"])
        return publisher

    def test_delivers_with_a_certificate_of_its_own_and_a_user_of_the_documented_rights(self):
        self.serve(self.good, clients="yes")
        password = self.file("password", "PASSWORD\n")
        self.redis.client.execute_command("ACL", "SETUSER", *RIGHTS)
        self.redis.client.execute_command("ACL", "SETUSER", "default", "off")
        self.redis.client.connection_pool.disconnect()
        cert, key = self.client
        options = self.tls(redis_user="md", redis_password_file=password, redis_tls_cert_file=cert, redis_tls_key_file=key)
        publisher = self.publisher(**options)
        reader = self.reader()
        reader.append(3)
        reader.append(3, kind="feed", channel="trade", state="live", since=1, reason="r")
        reader.deliver()
        self.assertEqual([log for log in publisher.logs() if log["level"] >= 40], [])
        self.assertNotIn("PASSWORD", "".join(publisher.lines + publisher.errors))

    def test_a_certificate_that_cannot_be_trusted_is_an_error_with_its_remedy(self):
        strange = Authority(self.stack.folder, "strange")
        publisher = self.refused("certificate is not accepted", "--redis-tls-ca-file",
                                 **self.tls(redis_tls_ca_file=strange.cert))
        publisher.stop()
        publisher = self.refused("IP address mismatch", "--redis-tls-server-name", **self.tls(host="127.0.0.1"))
        publisher.stop()
        self.serve(self.ca.sign("elsewhere", "DNS:elsewhere"))
        publisher = self.refused("ostname mismatch", "'localhost'", **self.tls())
        publisher.stop()
        self.serve(self.ca.sign("late", days=-1))
        publisher = self.refused("certificate has expired", "Renew", **self.tls())
        self.serve(self.good)  # renewed; nothing has to be restarted
        publisher.wait_log(REACHED)

    def test_what_the_server_thinks_of_our_certificate_is_said_too(self):
        self.serve(self.good, clients="yes")
        self.refused("certificate required", "--redis-tls-cert-file", **self.tls()).stop()
        cert, key = Authority(self.stack.folder, "strange").sign("stranger")
        self.refused("unknown ca", "--redis-tls-cert-file",
                     **self.tls(redis_tls_cert_file=cert, redis_tls_key_file=key)).stop()

    def test_a_port_without_tls_and_a_tls_port_without_it(self):
        self.redis.client.config_set("tls-port", 0)
        self.redis.client.config_set("port", self.port)
        publisher = self.publisher(redis_timeout="300ms", **self.tls())  # Redis waits for more of what it took for a command
        self.assertIn("write redis://", publisher.wait_log(LOST)[0]["reason"])
        publisher.stop()
        self.redis.client.config_set("port", 0)
        self.redis.client.config_set("tls-port", self.port)
        publisher = self.publisher(redis_url=f"redis://localhost:{self.port}")
        self.assertIn("rediss://", publisher.wait_log(LOST)[0]["reason"])

    def test_a_name_can_be_given_for_a_tunnel(self):
        publisher = self.delivers(**self.tls(host="127.0.0.1", redis_tls_server_name="localhost"))
        self.assertEqual(publisher.logs(LOST), [])

    def test_the_server_is_told_the_name_that_is_asked_for(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.good)
        asked = []
        context.sni_callback = lambda connection, name, _: asked.append(name)
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def accept():
            try:
                context.wrap_socket(listener.accept()[0], server_side=True).close()
            except OSError:
                pass  # the other side may end first
        thread = threading.Thread(target=accept)
        thread.start()
        self.publisher(**self.tls(redis_url=f"rediss://127.0.0.1:{listener.getsockname()[1]}", redis_tls_server_name="localhost"))
        thread.join(30)
        self.assertEqual(asked, ["localhost"])

    def test_files_that_cannot_be_used_are_told_at_the_start(self):
        cert, key = self.client
        cases = [({"redis_tls_ca_file": "/nonexistent"}, "--redis-tls-ca-file '/nonexistent'"),
                 ({"redis_tls_cert_file": cert}, "--redis-tls-key-file"),
                 ({"redis_tls_cert_file": key, "redis_tls_key_file": key}, "--redis-tls-cert-file"),
                 ({"redis_tls_cert_file": cert, "redis_tls_key_file": self.good[1]}, "--redis-tls-key-file"),
                 ({"redis_url": "redis://localhost"}, "rediss://")]
        for options, words in cases:
            code, sentence = self.error_of(**self.tls(**options))
            self.assertEqual(code, 78, sentence)
            self.assertIn(words, sentence)


class Users(AccessTest):
    def setUp(self):
        super().setUp()
        self.redis.client.config_set("port", self.port)
        self.url = f"redis://127.0.0.1:{self.port}"
        self.redis.client.execute_command("ACL", "SETUSER", *RIGHTS)

    def test_each_right_of_the_documented_rule_that_is_missing_is_named(self):
        password = self.file("password", "PASSWORD")
        needed = [word for word in RIGHTS if word.startswith("+") and word != "+hlen"]  # asked for md:state's type alone
        for right in needed:
            self.redis.client.execute_command("ACL", "SETUSER", "md", right.replace("+", "-"))
            publisher = self.publisher(redis_url=self.url, redis_user="md", redis_password_file=password)
            reader = self.reader()
            reader.append(1)
            reader.append(1, kind="feed", channel="trade", state="live", since=1, reason="r")
            rule = f"ACL SETUSER md {right}"
            for _ in range(500):
                reader.turn()
                if any(rule in log.get("remedy", "") for log in publisher.logs()):
                    break
            else:
                self.fail(f"{right}: {publisher.lines}")
            self.redis.client.execute_command("ACL", "SETUSER", "md", right)
            publisher.kill()
            reader.close()

    def test_a_unix_socket_with_a_user_and_a_database_in_its_url(self):
        publisher = self.publisher(redis_url=f"unix://md:PASSWORD@{self.redis.socket}?db=5")
        self.assertIn("ACL SETUSER md +select", publisher.wait_log(LOST)[0]["remedy"])
        self.redis.client.execute_command("ACL", "SETUSER", "md", "+select")
        self.delivers(publisher)
        self.redis.client.select(5)
        self.assertEqual(self.redis.client.xlen("md:trade"), 5)

    def test_the_password_is_read_from_systemds_credential(self):
        self.file("redis_password", "PASSWORD\n")
        os.environ["CREDENTIALS_DIRECTORY"] = self.stack.folder
        self.addCleanup(os.environ.pop, "CREDENTIALS_DIRECTORY")
        self.delivers(redis_url=self.url, redis_user="md")

    def test_users_that_contradict_or_have_no_password_are_refused(self):
        cases = [({"redis_url": "redis://md:x@h", "redis_user": "other"}, "differ"),
                 ({"redis_url": "redis://md@h"}, "--redis-password-file")]
        for options, words in cases:
            code, sentence = self.error_of(**options)
            self.assertEqual(code, 78, sentence)
            self.assertIn(words, sentence)


if __name__ == "__main__":
    unittest.main(verbosity=2)
