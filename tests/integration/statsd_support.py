"""Receivers of StatsD for tests: a strict one of our own, collectd's, and the original StatsD server."""

import collections
import glob
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

from metrics_agent_support import Agent, BOUNDS, Component, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
BINARY = os.path.join(os.environ.get("MDPIPE_BIN_DIR", "build"), "metrics-agent")

RECEIVED = ("collector_messages_received_total", ["gmo", "ticker", "BTC_JPY"])
RECEIVED_PLAIN = "mdpipe.collector_messages_received_total.gmo.ticker.BTC_JPY"
RECEIVED_DOG = ("mdpipe.collector_messages_received_total", "channel:ticker", "exchange:gmo", "symbol:BTC_JPY")
LATENCY = ("collector_publish_latency_seconds", ["gmo", "md:ticker"])
LATENCY_PLAIN = "mdpipe.collector_publish_latency_ms.gmo.md_ticker"
LATENCY_DOG = ("mdpipe.collector_publish_latency_seconds", "exchange:gmo", "stream:md_ticker")
OFFSET = ("collector_clock_offset_seconds", ["gmo"])
OFFSET_PLAIN = "mdpipe.collector_clock_offset_seconds.gmo"


def latency_bucket(nanos):
    octave = nanos.bit_length() - 1
    return ((octave - 6 + 1) << 6) + ((nanos >> (octave - 6)) & 63)


def observe(component, counts):
    """counts: {nanoseconds: observations}, the totals so far"""
    total = sum(counts.values())
    component.set("histograms", *LATENCY, (total, sum(n * c for n, c in counts.items()), [0] * BOUNDS,
                                           sorted([latency_bucket(n), c] for n, c in counts.items())))


NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
PLAIN_LINE = re.compile(rf"(?P<name>[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*):(?P<values>{NUMBER})"
                        r"\|(?P<type>c|g|ms)(?:\|@(?P<rate>0\.[0-9]+))?")
TAG = r"[a-z][a-z0-9_./-]*:[^,|:#@\s]+"
DOG_LINE = re.compile(rf"(?P<name>[A-Za-z][A-Za-z0-9_.]*):(?P<values>{NUMBER}(?::{NUMBER})*)"
                      rf"\|(?P<type>c|g|d)(?:\|@(?P<rate>0\.[0-9]+))?(?:\|#(?P<tags>{TAG}(?:,{TAG})*))?")


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class StrictReceiver:
    """Takes the published datagram format and nothing else; what does not match is kept in `malformed`. `address` is a port or
    a path. A receiver that does not read lets the kernel's queue fill up."""

    def __init__(self, address, is_dog=False, reads=True):
        self.address, self.is_dog = address, is_dog
        self.counters = collections.Counter()
        self.gauges, self.samples = {}, {}
        self.malformed, self.datagram_bytes = [], []
        self.lock = threading.Lock()
        if isinstance(address, int):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            self.socket.bind(("127.0.0.1", address))
        else:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.socket.bind(address)
        self.socket.settimeout(0.05)
        self.closing = threading.Event()
        self.thread = threading.Thread(target=self.read, daemon=True)
        if reads:
            self.thread.start()

    def start_reading(self):
        self.thread.start()

    def read(self):
        while not self.closing.is_set():
            try:
                datagram = self.socket.recv(70000)
            except socket.timeout:
                continue
            with self.lock:
                self.datagram_bytes.append(len(datagram))
                for line in datagram.decode("utf-8").split("\n"):
                    self.take(line)

    def take(self, line):
        match = (DOG_LINE if self.is_dog else PLAIN_LINE).fullmatch(line)
        if not match:
            self.malformed.append(line)
            return
        kind, weight = match["type"], 1 / float(match["rate"] or 1)
        key = (match["name"], *sorted((match["tags"] or "").split(","))) if self.is_dog else match["name"]
        for text in match["values"].split(":"):
            if kind == "c":
                self.counters[key] += float(text) * weight
            elif kind == "g":
                is_relative = not self.is_dog and text[0] in "+-"
                self.gauges[key] = float(text) + (self.gauges.get(key, 0) if is_relative else 0)
            else:
                self.samples.setdefault(key, []).append((float(text), weight))

    def count(self, key):
        with self.lock:
            return self.counters[key]

    def is_drained(self):
        """Nothing waits in the kernel's queue, and what was read is counted."""
        with self.lock:
            return not select.select([self.socket], [], [], 0)[0]

    def observations(self, key):
        with self.lock:
            return sum(weight for _, weight in self.samples.get(key, []))

    def close(self):
        """As a killed receiver: what is in the kernel's queue is gone."""
        self.closing.set()
        if self.thread.is_alive():
            self.thread.join()
        self.socket.close()
        if isinstance(self.address, str) and os.path.exists(self.address):
            os.unlink(self.address)


class CollectdReceiver:
    """Debian's collectd with its plugins statsd and csv. It counts from 0 in each run."""

    PROGRAM = shutil.which("collectd") or "/usr/sbin/collectd"

    def __init__(self, folder, port):
        self.data = tempfile.mkdtemp(prefix="collectd-", dir=folder)
        config = os.path.join(self.data, "collectd.conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(f'Hostname "here"\nFQDNLookup false\nInterval 1\nBaseDir "{self.data}"\nPIDFile "{self.data}/pid"\n'
                       'LoadPlugin logfile\n<Plugin logfile>\n'
                       f'  LogLevel info\n  File "{self.data}/log"\n</Plugin>\nLoadPlugin statsd\nLoadPlugin csv\n'
                       f'<Plugin statsd>\n  Host "127.0.0.1"\n  Port "{port}"\n</Plugin>\n'
                       f'<Plugin csv>\n  DataDir "{self.data}/csv"\n  StoreRates false\n</Plugin>\n')
        self.process = subprocess.Popen([self.PROGRAM, "-f", "-C", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: is_udp_port_taken(port), "collectd listens")

    def value(self, kind, name):
        """The last value, over midnight as well; 0 before there is one."""
        files = sorted(glob.glob(f"{self.data}/csv/here/statsd/{kind}-{name}-20*"))
        if not files:
            return 0
        with open(files[-1], encoding="ascii") as file:
            rows = [line.strip().split(",") for line in file if line.endswith("\n")]
        return float(rows[-1][1]) if len(rows) > 1 else 0  # the first row is a heading

    def count(self, name):
        return self.value("derive", name)

    def log(self):
        with open(f"{self.data}/log", encoding="utf-8", errors="replace") as file:
            return file.read()

    def close(self):
        self.process.kill()
        self.process.wait()


class StatsdServer:
    """The original StatsD server of npm; each flush comes as a line of a file."""

    PACKAGE = os.path.join(HERE, "statsd_server", "node_modules", "statsd")

    def __init__(self, folder, port):
        data = tempfile.mkdtemp(prefix="statsd-", dir=folder)
        self.flush_file = os.path.join(data, "flushes")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            management_port = probe.getsockname()[1]
        config = os.path.join(data, "config.js")
        with open(config, "w", encoding="ascii") as file:
            json.dump({"port": port, "address": "127.0.0.1", "mgmt_port": management_port, "mgmt_address": "127.0.0.1",
                       "flushInterval": 200, "backends": [os.path.join(HERE, "statsd_server", "flush_to_file.js")],
                       "flushFile": self.flush_file}, file)
        with open(config, "a", encoding="ascii") as file:
            file.write("\n")
        self.process = subprocess.Popen(["node", "stats.js", config], cwd=self.PACKAGE, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        wait_for(lambda: is_udp_port_taken(port), "StatsD listens")

    def flushes(self):
        if not os.path.exists(self.flush_file):
            return []
        with open(self.flush_file, encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def count(self, name):
        return sum(flush["counters"].get(name, 0) for flush in self.flushes())

    def observations(self, name):
        return sum(flush["timer_counters"].get(name, 0) for flush in self.flushes())

    def gauge(self, name):
        flushes = self.flushes()
        return flushes[-1]["gauges"].get(name) if flushes else None

    def bad_lines(self):
        return self.count("statsd.bad_lines_seen")

    def close(self):
        self.process.kill()
        self.process.wait()


def is_udp_port_taken(port):
    """Without a datagram, which a receiver would count."""
    with open("/proc/net/udp", encoding="ascii") as file:
        return any(f":{port:04X} " in line.split(" 00000000:0000")[0] + " " for line in file)


class AgentCase(unittest.TestCase):
    """Agents and components in a folder of their own."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mdpipe-forward-")
        self.addCleanup(shutil.rmtree, self.folder)

    def agent(self, **options):
        agent = Agent(BINARY, self.folder, **options)
        self.addCleanup(lambda: agent.process.poll() is None and agent.kill())
        return agent

    def component(self, name="ws-reader", source="gmo"):
        component = Component(f"ipc://{self.folder}/metrics", name, source)
        self.addCleanup(component.close)
        component.subscribed()
        return component

    def closing(self, receiver):
        """The receiver, which ends with the test at the latest."""
        state = {"open": True}
        close = receiver.close

        def close_once():
            if state["open"]:
                state["open"] = False
                close()
        receiver.close = close_once
        self.addCleanup(close_once)
        return receiver

    def wait_windows(self, agent, more=2):
        """So many more windows are logged; the state of all but the last is surely on disk."""
        logged = len(agent.windows())
        wait_for(lambda: len(agent.windows()) >= logged + more, f"{more} more windows")
