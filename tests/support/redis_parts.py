"""The parts of a Redis that is more than one process: certificates, and servers for one test."""

import os
import random
import re
import signal
import socket
import subprocess

import redis

from mdpipe_stack import free_port, wait_for


MAN_PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "man", "md-publisher.1")


def documented_acl_rule(section):
    """The words behind ACL SETUSER in a section of md-publisher's man page."""
    with open(MAN_PAGE, encoding="utf-8") as file:
        text = file.read().split(f"\n.SH {section}\n")[1].split("\n.SH ")[0]
    rule = re.search(r"^ACL SETUSER (md on .*)$", text, re.MULTILINE)[1]
    return rule.replace("\\", "").split()


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=30)


class Authority:
    """A CA that signs certificates in a folder."""

    def __init__(self, folder, name="ca"):
        self.folder, self.name = folder, name
        self.key, self.cert = self.path(name, "key"), self.path(name, "crt")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", f"/CN={name}", "-out", self.cert, "-keyout", self.key)

    def path(self, name, kind):
        return os.path.join(self.folder, f"{name}.{kind}")

    def sign(self, name, subject="DNS:localhost", days=2):
        """(certificate, key) of a new key."""
        key, request, cert = (self.path(name, kind) for kind in ("key", "csr", "crt"))
        extensions = self.path(name, "ext")
        with open(extensions, "w", encoding="ascii") as file:
            file.write(f"subjectAltName={subject}\n")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
                "-out", request, "-keyout", key)
        openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-days", str(days),
                "-extfile", extensions, "-out", cert)
        return cert, key


class Node:
    """A redis-server of its own on a TCP port, or a Sentinel with its configuration file. `tls` are the files of its certificate
    (ca, certificate, key); then it accepts only TLS and requires a certificate of its clients too."""

    def __init__(self, folder, *arguments, port=None, sentinel_of=None, tls=None):
        self.port = port or free_port()
        self.tls = tls
        self.folder = os.path.join(folder, str(self.port))
        os.mkdir(self.folder)
        self.arguments = list(arguments)
        self.configuration = []
        if sentinel_of:
            path = os.path.join(self.folder, "sentinel.conf")
            with open(path, "w", encoding="ascii") as file:
                file.write(sentinel_of)
            self.configuration = [path, "--sentinel"]
        self.process = None
        self.start()

    def start(self, *more):
        data = [] if self.configuration else ["--save", "", "--repl-diskless-sync-delay", "0", *self.arguments, *more]
        listen, how = ["--port", str(self.port)], {}
        if self.tls:
            ca, cert, key = self.tls
            listen = ["--port", "0", "--tls-port", str(self.port), "--tls-replication", "yes", "--tls-cluster", "yes",
                      "--tls-ca-cert-file", ca, "--tls-cert-file", cert, "--tls-key-file", key]
            how = {"ssl": True, "ssl_ca_certs": ca, "ssl_certfile": cert, "ssl_keyfile": key}
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(["redis-server", *self.configuration, *listen, "--dir", self.folder, *data],
                                            stdout=log, stderr=log)
        self.is_paused = False
        self.client = redis.Redis(port=self.port, decode_responses=True, **how)
        wait_for(self.answers, f"Redis on port {self.port}")

    def answers(self):
        try:
            return self.client.ping()
        except redis.exceptions.RedisError:
            return False

    def kill(self):
        self.client.close()
        self.process.kill()
        self.process.wait()

    def pause(self):
        self.is_paused = True
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.is_paused = False
        self.process.send_signal(signal.SIGCONT)

    def is_synced(self):
        return self.client.info("replication").get("master_link_status") == "up"

    def entries(self, stream):
        return [fields for _, fields in self.client.xrange(stream)]


class SentinelTrio:
    """A master, replicas and three Sentinels that fail over within about two seconds."""
    NAME = "mymaster"

    def __init__(self, folder, replicas=1, arguments=()):
        self.master = Node(folder, *arguments)
        self.replicas = [Node(folder, "--replicaof", "127.0.0.1", str(self.master.port), *arguments) for _ in range(replicas)]
        self.sentinels = []
        for replica in self.replicas:
            wait_for(replica.is_synced, "a replica in step with its master")
        watch = (f"sentinel monitor {self.NAME} 127.0.0.1 {self.master.port} 2\nsentinel down-after-milliseconds {self.NAME} 700\n"
                 f"sentinel failover-timeout {self.NAME} 3000\n")
        self.sentinels = [Node(folder, sentinel_of=watch) for _ in range(3)]
        for sentinel in self.sentinels:
            wait_for(lambda s=sentinel: self.knows(s, replicas), "Sentinels that know each other and the replicas")

    def knows(self, sentinel, replicas):
        state = sentinel.client.sentinel_master(self.NAME)
        return state["num-other-sentinels"] == 2 and state["num-slaves"] == replicas

    @property
    def url(self):
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/{self.NAME}"

    def named(self):
        """The port of the master as the Sentinels that run say it."""
        ports = {int(sentinel.client.sentinel_get_master_addr_by_name(self.NAME)[1])
                 for sentinel in self.sentinels if sentinel.process.poll() is None}
        return ports.pop() if len(ports) == 1 else None

    def close(self):
        for node in [*self.sentinels, *self.replicas, self.master]:
            if node.process.poll() is None:
                node.resume()
                node.kill()


class Cluster:
    """Three masters with a replica each, on loopback; `tls` as for Node."""

    def __init__(self, folder, *arguments, tls=None):
        settings = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-config-file", "nodes.conf",
                    "--cluster-replica-validity-factor", "0", *arguments]
        self.nodes = [Node(folder, *settings, port=port, tls=tls) for port in cluster_ports(6)]
        self.cli = ["--tls", "--cacert", tls[0], "--cert", tls[1], "--key", tls[2]] if tls else []
        cli(*self.cli, "--cluster", "create", *(f"127.0.0.1:{node.port}" for node in self.nodes), "--cluster-replicas", "1", "--cluster-yes")
        wait_for(self.is_whole, "a cluster whose replicas are in step")

    def is_whole(self):
        try:
            if any(node.client.cluster("info")["cluster_state"] != "ok" for node in self.living()):
                return False
            return all(node.client.info("replication")["role"] == "master" or node.is_synced() for node in self.living())
        except redis.exceptions.RedisError:
            return False

    def living(self):
        """Those that answer."""
        return [node for node in self.nodes if node.process.poll() is None and not node.is_paused]

    def node_of(self, key):
        """The master that has the key."""
        for node in self.living():
            if node.client.info("replication")["role"] != "master":
                continue
            try:
                node.client.exists(key)
                return node
            except redis.exceptions.RedisError:
                pass
        return None

    def entries(self, stream):
        node = wait_for(lambda: self.node_of(stream), f"a node that has {stream}")
        return node.entries(stream)

    def id_of(self, node):
        return node.client.execute_command("CLUSTER", "MYID")

    def move_slot_of(self, key, target):
        """As redis-cli --cluster reshard does it, key by key."""
        source = wait_for(lambda: self.node_of(key), f"a node that has {key}")
        if source is target:
            return
        slot = self.begin_move(key, source, target)
        while True:
            keys = source.client.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 1)
            if not keys:
                break
            self.migrate(target, source, *keys)
        self.end_move(slot, source, target)

    def begin_move(self, key, source, target):
        """Returns the slot."""
        slot = source.client.execute_command("CLUSTER", "KEYSLOT", key)
        target.client.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", self.id_of(source))
        source.client.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", self.id_of(target))
        return slot

    @staticmethod
    def migrate(target, source, *keys):
        source.client.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)

    def end_move(self, slot, source, target):
        for node in (target, source, *(node for node in self.masters() if node not in (source, target))):
            node.client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", self.id_of(target))

    def reshard(self, source, target, slots):
        """With redis-cli, its lowest slots. redis-cli refuses while the nodes disagree, which they do for a moment after it moved slots."""
        anyone = f"127.0.0.1:{self.nodes[0].port}"
        wait_for(lambda: subprocess.run(["redis-cli", *self.cli, "--cluster", "check", anyone], capture_output=True, check=False).returncode == 0,
                 "nodes that agree about the slots")
        cli(*self.cli, "--cluster", "reshard", anyone, "--cluster-from", self.id_of(source), "--cluster-to", self.id_of(target),
            "--cluster-slots", str(slots), "--cluster-yes")

    def lowest_slots(self, node, count):
        """Of those that it has."""
        ranges = node.client.execute_command("CLUSTER", "SLOTS")
        return set(sorted(slot for low, high, master in ((part[0], part[1], part[2]) for part in ranges) if master[1] == node.port
                          for slot in range(low, high + 1))[:count])

    def masters(self):
        return [node for node in self.living() if node.client.info("replication")["role"] == "master"]

    @property
    def url(self):
        scheme, host = ("rediss", "localhost") if self.nodes[0].tls else ("redis", "127.0.0.1")
        return f"{scheme}+cluster://" + ",".join(f"{host}:{self.nodes[number].port}" for number in (0, 1, 4))

    def close(self):
        for node in self.nodes:
            if node.process.poll() is None:
                node.resume()
                node.kill()


def is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def cluster_ports(count):
    """Free ports whose bus port, 10000 above, is free too; below those that the kernel gives to connections."""
    ports = set()
    while len(ports) < count:
        port = random.randrange(10_000, 22_000)
        if is_free(port) and is_free(port + 10_000):
            ports.add(port)
    return sorted(ports)


def cli(*arguments):
    ended = subprocess.run(["redis-cli", *arguments], check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr
