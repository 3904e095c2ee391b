#!/usr/bin/python3
"""Reader and publisher on two hosts, made of network namespaces with a cable between them: encrypted endpoints, the cable cut and
plugged in again under load, and a reader with an unknown key. Needs the right to make namespaces (root)."""

import json
import os
import shutil
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from mdpipe_stack import Stack, binary, check_sequence, parse_samples, wait_for  # noqa: E402

READER, PUBLISHER = "10.203.99.1", "10.203.99.2"  # seen inside the namespaces only
REFUSED = "a connection is refused: its key is not in --curve-peers-dir"


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


class Hosts:
    """Two namespaces, `reader` and `publisher`, and the cable."""

    def __init__(self):
        self.names = {name: f"mdpipe-{name}-{os.getpid()}" for name in ("reader", "publisher")}

    def make(self):
        """Raises CalledProcessError if that is not permitted."""
        for name in self.names.values():
            ip("netns", "add", name)
        ip("-n", self.names["reader"], "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", self.names["publisher"])
        for name, address in (("reader", READER), ("publisher", PUBLISHER)):
            ip("-n", self.names[name], "address", "add", f"{address}/24", "dev", "cable")
            ip("-n", self.names[name], "link", "set", "cable", "up")
            ip("-n", self.names[name], "link", "set", "lo", "up")

    def remove(self):
        for name in self.names.values():
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)

    def on(self, name):
        return ["ip", "netns", "exec", self.names[name]]

    def cable(self, state):
        ip("-n", self.names["publisher"], "link", "set", "cable", state)


class SeveralHostsTest(unittest.TestCase):
    def setUp(self):
        if not shutil.which("ip"):
            self.skipTest("iproute2 is not installed")
        self.hosts = Hosts()
        self.addCleanup(self.hosts.remove)
        try:
            self.hosts.make()
        except (subprocess.CalledProcessError, OSError) as error:
            self.skipTest(f"network namespaces cannot be made here: {error}")
        self.stack = Stack()
        self.addCleanup(self.stack.__exit__)
        self.folder = self.stack.folder
        for name in ("reader", "stranger", "md-publisher", "metrics-agent"):
            subprocess.run([binary("mdpipe-keygen"), f"--name={name}", f"--directory={self.folder}"], check=True, capture_output=True)
        self.start_servers()

    def key(self, name):
        return os.path.join(self.folder, f"{name}.key")

    def peers(self, server, *names):
        folder = os.path.join(self.folder, f"{server}-peers")
        os.makedirs(folder, exist_ok=True)
        for name in names:
            shutil.copy(self.key(name), folder)
        return folder

    def curve(self, name, **others):
        return {"curve_key_file": f"{self.key(name)}_secret", **others}

    def runtime_dir(self, name):
        folder = os.path.join(self.folder, f"run-{name}")
        os.makedirs(folder, exist_ok=True)
        return folder

    def start_servers(self):
        port_file = os.path.join(self.folder, "agent.port")
        self.agent = self.stack.program(
            "metrics-agent", self.hosts.on("publisher"), runtime_dir=self.runtime_dir("agent"), state_dir=self.folder, metrics_port=0,
            port_file=port_file, metrics_endpoint=f"tcp://{PUBLISHER}:5557",
            **self.curve("metrics-agent", curve_peers_dir=self.peers("metrics-agent", "reader", "stranger", "md-publisher")))
        self.metrics_port = int(self.stack.read_when_there(port_file, self.agent))
        self.publisher = self.stack.program(
            "md-publisher", self.hosts.on("publisher"), runtime_dir=self.runtime_dir("publisher"), redis_url=self.stack.redis.url,
            events_endpoint=f"tcp://{PUBLISHER}:5555", positions_endpoint=f"tcp://{PUBLISHER}:5556",
            metrics_endpoint=f"tcp://{PUBLISHER}:5557",
            **self.curve("md-publisher", curve_peers_dir=self.peers("md-publisher", "reader"), agent_key_file=self.key("metrics-agent")))

    def start_exchange(self, exchange, **options):
        port_file = os.path.join(self.folder, f"{exchange}.port")
        simulator = self.stack.program("exchange-sim", self.hosts.on("reader"), exchange=exchange, listen="127.0.0.1:0",
                                       port_file=port_file, requests_per_second=0, seed=11, **options)
        return simulator, f"ws://127.0.0.1:{int(self.stack.read_when_there(port_file, simulator))}/"

    def start_reader(self, exchange, url, key, **options):
        return self.stack.program(
            "ws-reader", self.hosts.on("reader"), exchange=exchange, url=url, runtime_dir=self.runtime_dir(key),
            events_endpoint=f"tcp://{PUBLISHER}:5555", positions_endpoint=f"tcp://{PUBLISHER}:5556",
            metrics_endpoint=f"tcp://{PUBLISHER}:5557",
            **self.curve(key, publisher_key_file=self.key("md-publisher"), agent_key_file=self.key("metrics-agent")), **options)

    def samples(self):
        page = subprocess.run([*self.hosts.on("publisher"), "curl", "-sS", f"http://127.0.0.1:{self.metrics_port}/metrics"],
                              check=True, capture_output=True, text=True).stdout
        return parse_samples(page)

    def sent(self):
        """Trades in the record of the exchange, in order."""
        with open(self.log, encoding="utf-8") as file:
            frames = [json.loads(line.rstrip("\n").split("\t", 2)[2]) for line in file if line.endswith("\n")]
        return [(frame["price"], frame["size"]) for frame in frames if frame.get("channel") == "trades"]

    def test_a_cut_cable_costs_nothing(self):
        self.log = os.path.join(self.folder, "sent.log")
        simulator, url = self.start_exchange("gmo", symbols="BTC_JPY", rate=300, log_sent=self.log, log_sent_at_once="true")
        self.start_reader("gmo", url, "reader", symbols="BTC_JPY", channels="trade")
        trades = 'collector_messages_received_total{exchange="gmo",channel="trade",symbol="BTC_JPY"}'
        for _ in range(2):
            before = self.stack.total()
            wait_for(lambda: self.stack.total() >= before + 300, "events of the other host in Redis")
            self.hosts.cable("down")
            held = len(self.sent())
            wait_for(lambda: len(self.sent()) >= held + 600, "events nobody can send")
            self.assertLess(self.stack.total(), len(self.sent()) - 500, "the cable is cut")
            self.hosts.cable("up")
            wait_for(lambda: self.stack.total() >= held + 600, "what was held arrives")
        simulator.stop()
        wait_for(lambda: self.stack.total() == len(self.sent()), "all that the exchange sent")
        self.assertEqual(self.sent(), [(entry["price"], entry["size"]) for entry in self.stack.entries("md:trade")])
        check_sequence(self.stack.all_entries(), self)
        wait_for(lambda: self.samples().get(trades) == self.stack.total(), "the agent has heard of all of them")
        self.assertEqual([], self.publisher.logs(REFUSED))

    def test_an_unknown_key_is_refused_by_name_until_it_is_known(self):
        _, url = self.start_exchange("bitflyer", symbols="BTC_JPY", rate=50)
        self.start_reader("bitflyer", url, "stranger", symbols="BTC_JPY", channels="ticker")
        told = self.publisher.wait_log(REFUSED)[0]
        with open(self.key("stranger"), encoding="utf-8") as file:
            self.assertIn(f'"{told["public_key"]}"', file.read())
        self.assertEqual(READER, told["address"])
        wait_for(lambda: all(self.samples().get(f'collector_connections_refused_total{{component="md-publisher",socket="{socket}"}}', 0) > 0
                             for socket in ("events", "positions")), "both are counted")
        self.assertEqual(0, self.stack.total())

        self.peers("md-publisher", "stranger")
        self.publisher.process.send_signal(signal.SIGHUP)
        self.publisher.wait_log("other keys may connect")
        wait_for(lambda: self.stack.total() > 0, "the reader tries again, and its events arrive")
        check_sequence(self.stack.all_entries(), self)


if __name__ == "__main__":
    unittest.main()
