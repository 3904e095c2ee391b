#!/usr/bin/python3
"""Each fault of a connection is one fault, whichever way leads to Redis. A table of {redis, rediss, sentinel, cluster} x fault: in each row
the reason, the level, the remedy and the pace of the tries are the same. Real servers with TLS; scripted sockets only for an address that
drops all packets, and for a Redis that loads its data."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import redis

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from mdpipe_stack import Program, free_port, wait_for  # noqa: E402
from redis_parts import Authority, cluster_ports  # noqa: E402

LOST = "Redis lost; the readers keep the events"
REACHED = "Redis reached"
NAME = "mymaster"
SILENT, SPEAKING = "127.0.0.2", "127.0.0.3"  # the addresses of HOST, in this order
HOST = "redis.test"
WARN, ERROR = 40, 50
# A pause is shortened at random by up to a half. While a person is needed: 1, 2, 4, 5 s; else 0.05, 0.1, 0.2 ... s.
WINDOW_SECONDS = 3.2
SLOW_FIRST_MS, SLOW_TRIES_MAX = (500, 1000), 4
FAST_FIRST_MS, FAST_TRIES_MIN = (25, 50), 6


class Server:
    """A redis-server that speaks clear text on one port and TLS on another, on both addresses of the tests that need them."""

    def __init__(self, folder, tls, *arguments, ports=None, sentinel_of=None):
        self.port, self.tls_port = ports or (free_port(), free_port())
        self.folder = tempfile.mkdtemp(dir=folder)
        ca, cert, key = tls
        command = ["redis-server"]
        if sentinel_of:
            path = os.path.join(self.folder, "sentinel.conf")
            with open(path, "w", encoding="ascii") as file:
                file.write(f"sentinel monitor {NAME} 127.0.0.1 {sentinel_of} 1\nsentinel down-after-milliseconds {NAME} 60000\n")
            command += [path, "--sentinel"]
        else:
            arguments = ("--save", "", *arguments)
        command += ["--port", str(self.port), "--tls-port", str(self.tls_port), "--tls-ca-cert-file", ca, "--tls-cert-file", cert,
                    "--tls-key-file", key, "--tls-auth-clients", "no", "--bind", "127.0.0.1", SPEAKING, "--dir", self.folder, *arguments]
        with open(os.path.join(self.folder, "log"), "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self.client = redis.Redis(port=self.port, decode_responses=True)
        wait_for(self.answers, "a redis-server")

    def answers(self):
        try:
            return self.client.ping()
        except redis.exceptions.RedisError:
            return False

    def close(self):
        self.client.close()
        self.process.kill()
        self.process.wait()


class LoadingRedis(threading.Thread):
    """What a Redis answers while it reads its data from disk: CLIENT, ROLE and transactions work, the rest is refused. It is its own
    Sentinel, too."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        port = str(self.port)
        answers = {"CLIENT": "+OK\r\n", "MULTI": "+OK\r\n", "EXEC": "*0\r\n", "ROLE": "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n",
                   "SENTINEL": f"*2\r\n$9\r\n127.0.0.1\r\n${len(port)}\r\n{port}\r\n"}
        with connection:
            try:
                while data := connection.recv(65536).decode():
                    for word in re.findall(r"\*\d+\r\n\$\d+\r\n(\w+)\r\n", data):
                        connection.sendall(answers.get(word, "-LOADING Redis is loading the dataset in memory\r\n").encode())
            except OSError:
                pass

    def close(self):
        self.listener.close()


def drop_all(port):
    """Sockets that make SILENT drop packets to the port: its queue of unaccepted connections is full."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((SILENT, port))
    listener.listen(0)
    waiting = []
    for _ in range(4):
        waiting.append(socket.socket())
        waiting[-1].setblocking(False)
        waiting[-1].connect_ex((SILENT, port))
    time.sleep(0.05)
    with socket.socket() as probe:
        probe.settimeout(0.3)
        try:
            probe.connect((SILENT, port))
        except OSError:
            return [listener, *waiting]
    raise AssertionError(f"{SILENT} answers")


def with_hosts(folder):
    """A command under which a program sees both addresses of HOST; None: not allowed here."""
    hosts = os.path.join(folder, "hosts")
    with open(hosts, "w", encoding="ascii") as file:
        file.write(f"{SILENT} {HOST}\n{SPEAKING} {HOST}\n127.0.0.1 localhost\n")
    under = ("unshare", "-m", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$0" "$@"')
    return under if subprocess.run([*under, "true"], check=False, capture_output=True).returncode == 0 else None


class ConnectionTable(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="mdpipe-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.ca, cls.strange = Authority(cls.folder), Authority(cls.folder, "strange")
        cls.tls = (cls.ca.cert, *cls.ca.sign("server", f"DNS:localhost,DNS:{HOST},IP:127.0.0.1"))
        cls.one = cls.server()
        cls.sentinel = cls.server(sentinel_of=cls.one.port)
        # A Cluster of one node has all that a connection sees of a Cluster.
        ports = cluster_ports(2)
        cls.node = cls.server("--cluster-enabled", "yes", "--tls-cluster", "yes", ports=ports)
        cls.node.client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        wait_for(lambda: cls.node.client.cluster("info")["cluster_state"] == "ok", "a Cluster")

    @classmethod
    def server(cls, *arguments, **how):
        server = Server(cls.folder, cls.tls, *arguments, **how)
        cls.addClassCleanup(server.close)
        return server

    def setUp(self):
        self.programs = []
        self.addCleanup(self.end_programs)

    def end_programs(self):
        for program in self.programs:
            program.kill()

    def publisher(self, url, under=(), **options):
        if url.startswith("rediss"):
            options.setdefault("redis_tls_ca_file", self.ca.cert)
        program = Program("md-publisher", {"runtime_dir": tempfile.mkdtemp(dir=self.folder), "redis_url": url, "redis_timeout": "1s",
                                           "reconnect_delay_max": "5s", **options}, under=under)
        self.programs.append(program)
        return program

    # The ways to Redis: each URL has the clear or the TLS port of the server that is asked first.
    @classmethod
    def clear(cls, login=""):
        return {"redis": f"redis://{login}localhost:{cls.one.port}",
                "sentinel": f"redis+sentinel://{login}localhost:{cls.sentinel.port}/{NAME}",
                "cluster": f"redis+cluster://{login}localhost:{cls.node.port}"}

    @classmethod
    def secure(cls, login=""):
        return {"rediss": f"rediss://{login}localhost:{cls.one.tls_port}",
                "sentinel": f"rediss+sentinel://{login}localhost:{cls.sentinel.tls_port}/{NAME}",
                "cluster": f"rediss+cluster://{login}localhost:{cls.node.tls_port}"}

    @staticmethod
    def tries(program):
        lines = program.logs(LOST)
        return len(lines) + sum(line["suppressed"] for line in lines)

    def assert_row(self, urls, reason, level, remedy, refusal=None, slow=False, tries_min=FAST_TRIES_MIN, **options):
        """Each way fails for this reason, with this level, remedy and pace; the remedies are the same to the letter."""
        programs = {way: self.publisher(url, **options) for way, url in urls.items()}
        remedies = {}
        for way, program in programs.items():
            with self.subTest(way=way):
                line = program.wait_log(LOST)[0]
                self.assertRegex(line["reason"], reason)
                self.assertEqual((line["level"], line.get("refusal")), (level, refusal), line)
                self.assertIn(remedy, line["remedy"])
                remedies[way] = line["remedy"]
                low, high = SLOW_FIRST_MS if slow else FAST_FIRST_MS
                self.assertTrue(low <= line["retry_ms"] <= high, line)
        self.assertEqual(len(set(remedies.values())), 1, remedies)
        if slow:
            time.sleep(WINDOW_SECONDS)
        for way, program in programs.items():
            with self.subTest(way=way):
                if slow:
                    self.assertLessEqual(self.tries(program), SLOW_TRIES_MAX, program.logs(LOST))
                else:
                    wait_for(lambda p=program: self.tries(p) >= tries_min, f"{tries_min} tries by {way}")
        self.end_programs()

    def test_a_certificate_that_is_not_trusted(self):
        # Not redis: there is no certificate in clear text.
        self.assert_row(self.secure(), "the server's certificate is not accepted: self-signed certificate in certificate chain", ERROR,
                        "--redis-tls-ca-file", "tls", slow=True, redis_tls_ca_file=self.strange.cert)

    def test_a_certificate_for_another_name(self):
        # Not redis, as above.
        self.assert_row(self.secure(), "the server's certificate is not accepted: hostname mismatch", ERROR,
                        "not for 'elsewhere.test'", "tls", slow=True, redis_tls_server_name="elsewhere.test")

    def test_a_wrong_password(self):
        for server in (self.one, self.node):
            server.client.config_set("requirepass", "right")
            self.addCleanup(server.client.config_set, "requirepass", "")
        urls = {**self.clear(":wrong@"), "rediss": self.secure(":wrong@")["rediss"],
                "cluster with TLS": self.secure(":wrong@")["cluster"]}  # the Sentinel knows the master's clear port alone
        self.assert_row(urls, "refused AUTH: WRONGPASS", ERROR, "--redis-password-file", "auth", slow=True)

    def test_no_password_where_one_is_needed(self):
        for server in (self.one, self.node):
            server.client.config_set("requirepass", "right")
            self.addCleanup(server.client.config_set, "requirepass", "")
        self.assert_row({**self.clear(), "rediss": self.secure()["rediss"]}, "NOAUTH Authentication required", ERROR,
                        "--redis-password-file", "auth", slow=True)

    def test_a_password_that_the_sentinels_do_not_accept(self):
        # Sentinels alone: it is their own, so the remedy names their options. Everything else is as above.
        self.sentinel.client.execute_command("ACL", "SETUSER", "default", "resetpass", ">right")
        self.addCleanup(self.sentinel.client.execute_command, "ACL", "SETUSER", "default", "nopass")
        path = os.path.join(self.folder, "wrong")
        with open(path, "w", encoding="ascii") as file:
            file.write("wrong")
        urls = {"sentinel": self.clear()["sentinel"], "sentinel with TLS": self.secure()["sentinel"]}
        self.assert_row(urls, "refused AUTH: WRONGPASS", ERROR, "--redis-sentinel-password-file", "auth", slow=True,
                        redis_sentinel_password_file=path)

    def test_a_tls_port_spoken_to_in_clear(self):
        # Not rediss: this row is the other side of the next. Redis closes without a word, as a proxy without a server does: suspected only.
        urls = {"redis": f"redis://localhost:{self.one.tls_port}", "sentinel": f"redis+sentinel://localhost:{self.sentinel.tls_port}/{NAME}",
                "cluster": f"redis+cluster://localhost:{self.node.tls_port}"}
        self.assert_row(urls, r"closed the connection before it answered anything: .*write rediss://", WARN, "write rediss://")

    def test_a_clear_port_spoken_to_with_tls(self):
        # Not redis. Redis waits for the rest of what it takes for a command, as one that hangs does: suspected only. Each try takes 1 s.
        urls = {"rediss": f"rediss://localhost:{self.one.port}", "sentinel": f"rediss+sentinel://localhost:{self.sentinel.port}/{NAME}",
                "cluster": f"rediss+cluster://localhost:{self.node.port}"}
        self.assert_row(urls, r"does not answer the TLS handshake: no answer within .*1000 ms; .*write redis://", WARN, "write redis://",
                        tries_min=2)

    def test_a_redis_with_as_many_clients_as_it_allows(self):
        # Sentinels themselves have no such limit to set; their master has.
        for server in (self.one, self.node):
            server.client.config_set("maxclients", 1)
            self.addCleanup(server.client.config_set, "maxclients", 10000)
        self.assert_row(self.clear(), "ERR max number of clients", ERROR, "maxclients", "maxclients", slow=True)
        self.assert_row(self.clear(":password@"), "ERR max number of clients", ERROR, "maxclients", "maxclients", slow=True)

    def test_the_same_with_tls(self):
        # Redis gives its reason before TLS, or not at all: it closes, and the remedy names what may be behind that. Not sentinel: its master
        # is reached on the clear port.
        for server in (self.one, self.node):
            server.client.config_set("maxclients", 1)
            self.addCleanup(server.client.config_set, "maxclients", 10000)
        urls = self.secure()
        del urls["sentinel"]
        self.assert_row(urls, "closed the connection during the TLS handshake", WARN, "maxclients")

    def test_a_redis_that_loads_its_data(self):
        # Not rediss: the answer is the same behind TLS, whose way is the one of the rows above. A Sentinel loads nothing; its master does.
        server = LoadingRedis()
        self.addCleanup(server.close)
        urls = {"redis": f"redis://127.0.0.1:{server.port}", "sentinel": f"redis+sentinel://127.0.0.1:{server.port}/{NAME}",
                "cluster": f"redis+cluster://127.0.0.1:{server.port}"}
        self.assert_row(urls, "LOADING Redis is loading", WARN, "reading its data from disk", "loading")

    def test_a_port_where_nobody_listens(self):
        port = free_port()
        self.assert_row({"redis": f"redis://127.0.0.1:{port}", "rediss": f"rediss://127.0.0.1:{port}",
                         "sentinel": f"redis+sentinel://127.0.0.1:{port}/{NAME}", "cluster": f"redis+cluster://127.0.0.1:{port}"},
                        f"cannot connect to 127.0.0.1:{port}: Connection refused", WARN, "Start Redis")

    def test_a_name_whose_first_address_is_silent(self):
        under = with_hosts(self.folder)
        if under is None:
            self.skipTest("not allowed to mount another /etc/hosts (CAP_SYS_ADMIN)")
        urls = {way: url.replace("localhost", HOST) for way, url in
                {**self.clear(), "rediss": self.secure()["rediss"], "cluster with TLS": self.secure()["cluster"]}.items()}
        for port in {int(re.search(r":(\d+)", url.split("//")[1])[1]) for url in urls.values()}:
            for held in drop_all(port):
                self.addCleanup(held.close)
        programs = {way: self.publisher(url, under=under, redis_timeout="3s") for way, url in urls.items()}
        for way, program in programs.items():
            with self.subTest(way=way):
                reached = program.wait_log(REACHED)[0]
                self.assertEqual(program.logs(LOST), [])
                if way.startswith("redis"):
                    self.assertIn(SPEAKING, reached["redis"])

    def test_a_name_whose_addresses_are_all_silent_or_refused_names_each(self):
        under = with_hosts(self.folder)
        if under is None:
            self.skipTest("not allowed to mount another /etc/hosts (CAP_SYS_ADMIN)")
        port = free_port()
        for held in drop_all(port):
            self.addCleanup(held.close)
        urls = {"redis": f"redis://{HOST}:{port}", "rediss": f"rediss://{HOST}:{port}", "sentinel": f"redis+sentinel://{HOST}:{port}/{NAME}",
                "cluster": f"redis+cluster://{HOST}:{port}"}
        reason = (rf"cannot connect to {HOST}:{port} \({SILENT}:{port}\): no answer within \d+ ms; "
                  rf"cannot connect to {HOST}:{port} \({SPEAKING}:{port}\): Connection refused")
        self.assert_row(urls, reason, WARN, "Start Redis", tries_min=2, under=under)


if __name__ == "__main__":
    unittest.main(verbosity=2)
