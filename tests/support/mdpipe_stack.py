"""The whole pipeline in a folder of its own: real programs, a real redis-server, ephemeral ports.

Everything is started and ended here; tests wait on conditions with a deadline (wait_for), never on a span of time.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import redis

DEADLINE = 30.0  # seconds; generous, as nothing waits for it when all is well
EVENT_TYPES = ("trade", "ticker", "orderbook")
# A command to run each of our programs under, such as "valgrind -q --error-exitcode=99".
WRAPPER = os.environ.get("MDPIPE_WRAPPER", "").split()
# What a sanitizer or an assertion of ours says on standard error.
FAULTS = ("Sanitizer", "runtime error", "Assertion")
BIN_DIR = os.environ.get("MDPIPE_BIN_DIR", "")


def wait_for(condition, what, deadline=DEADLINE):
    """Returns the first true value of condition(), looking again until the deadline."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {deadline} s: {what}")


def binary(name):
    for folder in (name, os.path.join("tools", name), os.path.join("tools", "keygen"), ""):
        path = os.path.join(BIN_DIR, folder, name)
        if os.path.isfile(path):
            return path
    raise AssertionError(f"{name} not found below MDPIPE_BIN_DIR={BIN_DIR}")


def free_port():
    """For a program that does not report the port that it uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def flags(options):
    return [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]


class Program:
    """One of our programs, its log lines parsed as they come."""

    def __init__(self, name, options, stdin=None, under=()):
        """`under` is a command to run it under that becomes the program, as `ip netns exec` does."""
        self.name = name
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith(("METRICS_", "ENABLE_", "REDIS_", "WS_"))}
        self.process = subprocess.Popen([*under, *WRAPPER, binary(name), *flags(options)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        stdin=stdin, text=True, env=environment)
        self.lines = []
        self.errors = []
        self.readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.lines), (self.process.stderr, self.errors))]
        for thread in self.readers:
            thread.start()

    @staticmethod
    def _read(stream, keep):
        with stream:
            for line in stream:
                keep.append(line)

    def _ended(self, code):
        for thread in self.readers:
            thread.join(DEADLINE)
        return code

    def logs(self, msg=None):
        entries = [json.loads(line) for line in list(self.lines) if line.startswith("{")]
        return [entry for entry in entries if msg is None or entry["msg"] == msg]

    def wait_log(self, msg, count=1, deadline=DEADLINE):
        return wait_for(lambda: len(self.logs(msg)) >= count and self.logs(msg),
                        f"{self.name} logs '{msg}' {count} times; it said: {''.join(self.lines[-5:] + self.errors[-5:])}",
                        deadline)

    def running(self):
        return self.process.poll() is None

    def kill(self):
        self.process.kill()
        self._ended(self.process.wait())

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self, deadline=10):
        """SIGTERM; returns the exit code."""
        if self.running():
            self.process.send_signal(signal.SIGTERM)
        try:
            return self._ended(self.process.wait(deadline))
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {deadline} s of SIGTERM") from None

    def hurry(self, patience=0.3, deadline=10):
        """After a SIGTERM: sends a second one if the program still waits for a receiver of its last events; it then ends at once."""
        for seconds in (patience, deadline):
            try:
                self.wait(seconds)
                return
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGTERM)
        self.kill()

    def wait(self, deadline=DEADLINE):
        return self._ended(self.process.wait(deadline))


class RedisServer:
    def __init__(self, folder, persistent=False):
        self.folder = folder
        self.socket = os.path.join(folder, "redis.sock")
        self.persistent = persistent
        self.process = None
        self.start()

    def start(self):
        durability = ["--appendonly", "yes", "--appendfsync", "always"] if self.persistent else ["--appendonly", "no"]
        with open(os.path.join(self.folder, "redis.log"), "ab") as log:
            self.process = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", self.socket, "--dir", self.folder,
                                             "--save", "", *durability], stdout=log, stderr=log)
        self.client = redis.Redis(unix_socket_path=self.socket, decode_responses=True)
        wait_for(self.answers, "redis-server answers")

    def answers(self):
        if not os.path.exists(self.socket):
            return False
        try:
            return self.client.ping()
        except redis.exceptions.RedisError:
            self.client.close()
            return False

    def kill(self):
        self.client.close()
        self.process.kill()
        self.process.wait()
        os.unlink(self.socket)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    @property
    def url(self):
        return f"unix://{self.socket}"


class Stack:
    """Use as a context manager; starts Redis at once and everything else when asked."""

    def __init__(self, persistent_redis=False):
        self.folder = tempfile.mkdtemp(prefix="mdpipe-")
        self.redis = RedisServer(self.folder, persistent_redis)
        self.programs = []
        self.metrics_port = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for program in self.programs:
            if program.running():
                program.resume()
                program.process.send_signal(signal.SIGTERM)
        for program in self.programs:
            program.hurry()
        self.redis.resume()
        self.redis.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        for program in self.programs:
            said = "".join(program.errors)
            assert not any(word in said for word in FAULTS), f"{program.name}: {said}"

    def _start(self, name, options, stdin=None, under=()):
        program = Program(name, options, stdin, under)
        self.programs.append(program)
        return program

    def program(self, name, under=(), **options):
        """With these options and no others."""
        return self._start(name, options, under=under)

    def publisher(self, **options):
        return self._start("md-publisher", {"runtime_dir": self.folder, "redis_url": self.redis.url, **options})

    def agent(self, **options):
        port_file = os.path.join(self.folder, "agent.port")
        if os.path.exists(port_file):
            os.unlink(port_file)
        agent = self._start("metrics-agent", {"runtime_dir": self.folder, "state_dir": self.folder, "metrics_port": 0,
                                              "port_file": port_file, "metrics_interval_seconds": 1, **options})
        self.metrics_port = int(self.read_when_there(port_file, agent))
        return agent

    def simulator(self, exchange, **options):
        """Returns (program, ws url)."""
        port_file = os.path.join(self.folder, f"sim-{len(self.programs)}.port")
        simulator = self._start("exchange-sim", {"exchange": exchange, "listen": "127.0.0.1:0", "port_file": port_file,
                                                 "requests_per_second": 0, **options})
        port = int(self.read_when_there(port_file, simulator))
        return simulator, f"ws://127.0.0.1:{port}{'/stream' if exchange == 'binance' else '/'}"

    def reader(self, exchange, stdin=None, **options):
        return self._start("ws-reader", {"exchange": exchange, "runtime_dir": self.folder, **options}, stdin)

    @staticmethod
    def read_when_there(path, program):
        def read():
            if not program.running():
                raise AssertionError(f"{program.name} ended: {''.join(program.errors)}")
            if not os.path.exists(path):
                return ""
            with open(path, encoding="ascii") as file:
                text = file.read()
            return text if text.endswith("\n") else ""
        return wait_for(read, path)

    # What came out.

    def entries(self, stream):
        return [fields for _, fields in self.redis.client.xrange(stream)]

    def all_entries(self):
        """Events of the exchange and, last, those about the feeds: all that the reader numbered."""
        return sum((self.entries(f"md:{kind}") for kind in (*EVENT_TYPES, "feed")), [])

    def feed_events(self, channel=None, symbol=None):
        return [entry for entry in self.entries("md:feed")
                if channel in (None, entry["channel"]) and symbol in (None, entry["symbol"])]

    def total(self):
        """Number of the exchange's events in Redis."""
        return sum(self.redis.client.xlen(f"md:{kind}") for kind in EVENT_TYPES)

    def counts(self):
        """{type: {symbol: count}} of what Redis holds, books split by kind."""
        out = {}
        for kind in EVENT_TYPES:
            for entry in self.entries(f"md:{kind}"):
                by_symbol = out.setdefault(entry.get("kind", kind), {})
                by_symbol[entry["symbol"]] = by_symbol.get(entry["symbol"], 0) + 1
        return out

    def http(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def samples(self):
        """/metrics as {series text: value}."""
        status, body = self.http("/metrics")
        assert status == 200, body
        return parse_samples(body)

    def sum_of(self, metric):
        """Over all series but those of events about the feeds, which no exchange sent."""
        return sum(value for name, value in self.samples().items()
                   if name.startswith(metric + "{") and 'stream="md:feed"' not in name)


def parse_samples(page):
    """{series text: value}"""
    pairs = (line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def check_sequence(entries, test):
    """For each source and epoch (distinguished by exchange), seq rises by one without holes or repeats over all streams."""
    numbers = {}
    for entry in entries:
        numbers.setdefault(entry["exchange"], []).append(int(entry["seq"]))
    for exchange, found in numbers.items():
        test.assertEqual(sorted(found), list(range(1, len(found) + 1)), exchange)


def window_totals(agent, part):
    """Sum of all window logs: {key: count} of "received" or "published", the exchange's events only."""
    totals = {}
    for line in agent.logs("metrics"):
        for key, count in line["metrics"][part].items():
            if not key.startswith("md:feed:"):
                totals[key] = totals.get(key, 0) + count
    return totals
