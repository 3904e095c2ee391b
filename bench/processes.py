"""Processes of a measurement, with their processor time and memory from the kernel. Standard library only."""

import os
import signal
import subprocess
import time

DEADLINE = 30.0  # seconds; long, because it is only reached if something is wrong


class BenchError(Exception):
    """A measurement that cannot be made; the user sees its text."""


def wait_for(condition, what, deadline=DEADLINE, interval=0.005):
    """Calls condition() until it returns a true value, which is returned, or until the deadline."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise BenchError(f"not within {deadline:g} s: {what}")
        time.sleep(interval)


class Process:
    """A program with its output in a file of the folder."""

    def __init__(self, name, command, folder, stdin=None, environment=None):
        self.name = name
        self.log = os.path.join(folder, f"{name}.log")
        inherited = {key: value for key, value in os.environ.items()
                     if not key.startswith(("METRICS_", "ENABLE_", "REDIS_", "WS_", "NOTIFY_"))}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=stdin, stdout=log, stderr=subprocess.STDOUT,
                                            env={**inherited, **(environment or {})})
        self.pid = self.process.pid

    def running(self):
        return self.process.poll() is None

    def output(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def check(self):
        if not self.running():
            raise BenchError(f"{self.name} ended with exit code {self.process.returncode}:\n{self.output()[-2000:]}")

    def stop(self, deadline=10):
        if self.running():
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()

    def cpu_seconds(self):
        """Processor time of all its threads, from the scheduler's statistics, which are exact; stat counts ticks of 10 ms."""
        total = 0
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            try:
                with open(f"/proc/{self.pid}/task/{thread}/schedstat", encoding="ascii") as file:
                    total += int(file.read().split()[0])
            except FileNotFoundError:
                pass  # the thread has ended meanwhile
        return total / 1e9

    def memory(self):
        """{"VmRSS": bytes now, "VmHWM": bytes at most, "RssAnon": without what is shared with files}"""
        out = {}
        with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as file:
            for line in file:
                name, _, rest = line.partition(":")
                if name in ("VmRSS", "VmHWM", "RssAnon"):
                    out[name] = int(rest.split()[0]) * 1024
        return out
