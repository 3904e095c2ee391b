"""A real metrics-agent under test, and components that speak its wire format without any of our code."""

import http.client
import json
import os
import signal
import subprocess
import threading
import time

import msgpack
import zmq

DEADLINE = 20.0  # seconds; generous, as nothing waits for it when all is well
BOUNDS = 16  # of a latency histogram


def wait_for(condition, what, deadline=DEADLINE):
    """Returns the first true value of condition(), looking again until the deadline."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {deadline} s: {what}")


class Component:
    """Sends metric messages as a component does: totals of an epoch, numbered from 1."""

    def __init__(self, endpoint, component, source, epoch=None):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.XPUB)
        self.socket.setsockopt(zmq.LINGER, 1000)
        self.socket.setsockopt(zmq.XPUB_VERBOSE, 1)  # a restarted agent's subscription is not new to this socket
        self.socket.setsockopt(zmq.RECONNECT_IVL, 20)
        self.socket.connect(endpoint)
        self.component, self.source = component, source
        self.restart(epoch)

    def restart(self, epoch=None):
        self.epoch = epoch or time.time_ns()
        self.origin = self.epoch  # a component without kept counters
        self.n = 0
        self.ids = {}
        self.values = {}

    def subscribed(self, deadline=DEADLINE):
        """Waits until an agent listens."""
        if not self.socket.poll(deadline * 1000):
            raise AssertionError("no agent subscribed")
        while self.socket.poll(0):
            self.socket.recv()

    def set(self, kind, name, labels, value):
        key = (name, tuple(labels))
        self.ids.setdefault(key, len(self.ids))
        self.values[key] = (kind, value)

    def add(self, name, labels, count):
        key = (name, tuple(labels))
        self.set("counters", name, labels, self.values.get(key, ("counters", 0))[1] + count)

    def message(self, full=True, last=False):
        self.n += 1
        out = {"v": 2, "component": self.component, "source": self.source, "epoch": self.epoch, "origin": self.origin, "n": self.n,
               "time": time.time_ns(), "full": full, "last": last, "series": [], "counters": [], "gauges": [],
               "histograms": []}
        for key, number in self.ids.items():
            kind, value = self.values[key]
            if full:
                out["series"].append([number, key[0], list(key[1])])
            out[kind].append([number, *value] if kind == "histograms" else [number, value])
        return msgpack.packb(out, unicode_errors="surrogateescape")

    def send(self, full=True, last=False):
        self.socket.send(self.message(full, last))

    def close(self):
        self.socket.close()
        self.context.term()


class Agent:
    """A metrics-agent process with its log lines; options are flags without their dashes."""

    def __init__(self, binary, folder, **options):
        self.folder = folder
        self.endpoint = f"ipc://{folder}/metrics"
        port_file = os.path.join(folder, "port")
        if os.path.exists(port_file):
            os.unlink(port_file)
        settings = {"runtime_dir": folder, "state_dir": folder, "metrics_port": 0, "port_file": port_file,
                    "metrics_interval_seconds": 1, "log_level": "debug", **options}
        arguments = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("METRICS_")}
        self.process = subprocess.Popen([binary, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env=environment)
        self.lines = []
        self.reader = threading.Thread(target=self.read_lines, daemon=True)
        self.reader.start()
        self.port = 0
        if str(settings.get("enable_prometheus_metrics", "true")) == "true":
            wait_for(self.read_port, "the port file")

    def read_lines(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line))  # every line must be JSON

    def read_port(self):
        if self.process.poll() is not None:
            raise AssertionError(f"metrics-agent ended: {self.process.stderr.read()}")
        path = os.path.join(self.folder, "port")
        if not os.path.exists(path):
            return 0
        with open(path, encoding="ascii") as file:
            text = file.read()
        self.port = int(text) if text.endswith("\n") else 0
        return self.port

    def request(self, path, method="GET", headers=None):
        """(status, headers, body bytes)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def samples(self):
        """/metrics as {series text: value}; if the agent answers that it is too busy, the request is repeated."""
        status, _, body = wait_for(lambda: self.unless_busy("/metrics"), "a page from a busy agent")
        assert status == 200, body
        pairs = (line.rsplit(" ", 1) for line in body.decode().splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def unless_busy(self, path, headers=None):
        """Like request, but None if the agent is too busy to answer."""
        answer = self.request(path, headers=headers)
        return None if answer[0] == 503 else answer

    def wait_sample(self, name, value):
        wait_for(lambda: self.samples().get(name) == value, f"{name} {value}")

    def windows(self, exchange=None):
        return [line["metrics"] for line in list(self.lines)
                if line["msg"] == "metrics" and exchange in (None, line["exchange"])]

    def messages(self):
        return [line["msg"] for line in list(self.lines)]

    def stop(self):
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def kill(self):
        self.process.kill()
        return self.ended()

    def ended(self):
        code = self.process.wait(DEADLINE)
        self.reader.join(DEADLINE)
        self.process.stdout.close()
        self.process.stderr.close()
        return code
