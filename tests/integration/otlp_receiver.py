"""The OTLP receiver of tests/support/otlp_receiver, which decodes with OpenTelemetry's own definitions."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading

from metrics_agent_support import DEADLINE, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOURCE = os.path.join(ROOT, "tests/support/otlp_receiver")
SKIPPED = 77  # CTest shows it as skipped


def install(folder):
    """npm ci into the folder, once for each lock file; other test programs wait meanwhile."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        print("node and npm are not installed: the OTLP receiver cannot run (scripts/packages.sh test installs them)")
        sys.exit(1 if os.environ.get("CI") else SKIPPED)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with open(os.path.join(SOURCE, "package-lock.json"), encoding="utf-8") as file:
            wanted = file.read()
        stamp = os.path.join(folder, "installed.json")
        if os.path.exists(stamp):
            with open(stamp, encoding="utf-8") as file:
                if file.read() == wanted:
                    return
        for name in ("package.json", "package-lock.json"):
            shutil.copy(os.path.join(SOURCE, name), folder)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, check=True, timeout=300,
                       stdout=subprocess.DEVNULL)
        with open(stamp, "w", encoding="utf-8") as file:
            file.write(wanted)


def value_of(point):
    return int(point["asInt"]) if "asInt" in point else point.get("asDouble", 0.0)


def key_of(metric, point):
    """As /metrics writes the series."""
    labels = ",".join(f'{one["key"]}="{one["value"]["stringValue"]}"' for one in point.get("attributes", []))
    return f"{metric['name']}{{{labels}}}"


def data_of(metric):
    kind = next(kind for kind in ("gauge", "sum", "histogram", "exponentialHistogram") if kind in metric)
    return kind, metric[kind]


class OtlpReceiver:
    def __init__(self, packages, certificate=None, key=None):
        environment = {**os.environ, "NODE_PATH": os.path.join(packages, "node_modules")}
        command = ["node", os.path.join(SOURCE, "receiver.js")] + ([certificate, key] if certificate else [])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.requests, self.port, self.closed = [], 0, 0
        self.reader = threading.Thread(target=self.read_lines, daemon=True)
        self.reader.start()
        wait_for(lambda: self.port, "the receiver listens", 60)

    def read_lines(self):
        for line in self.process.stdout:
            told = json.loads(line)
            if "port" in told:
                self.port = told["port"]
            elif "closed" in told:
                self.closed += 1
            else:
                self.requests.append(told)

    def say(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def close_port(self):
        before = self.closed
        self.say(listen=False)
        wait_for(lambda: self.closed > before, "the port is closed")

    def open_port(self):
        self.port = 0
        self.say(listen=True)
        wait_for(lambda: self.port, "the port is open again")

    def taken(self):
        """The requests that were answered with 200."""
        return [request for request in list(self.requests)
                if not request["answer"].get("hang") and request["answer"].get("status", 200) == 200]

    def points(self, requests=None):
        """(metric, kind, data, point) of the requests that were taken."""
        for request in self.taken() if requests is None else requests:
            for resource in request["message"]["resourceMetrics"]:
                for scope in resource["scopeMetrics"]:
                    for metric in scope["metrics"]:
                        kind, data = data_of(metric)
                        for point in data["dataPoints"]:
                            yield metric, kind, data, point

    def last(self):
        """{series: value} of the newest point of each number."""
        return {key_of(metric, point): value_of(point) for metric, kind, _, point in self.points()
                if kind in ("gauge", "sum")}

    def sums(self):
        """{series: sum of all increments}."""
        out = {}
        for metric, kind, _, point in self.points():
            if kind == "sum":
                out[key_of(metric, point)] = out.get(key_of(metric, point), 0) + value_of(point)
        return out

    def times(self, series):
        """[(start, end)] of the points of a series, in the order of arrival."""
        return [(int(point["startTimeUnixNano"]), int(point["timeUnixNano"])) for metric, _, _, point in self.points()
                if key_of(metric, point) == series]

    def stop(self):
        self.process.stdin.close()
        self.process.wait(DEADLINE)
        self.reader.join(DEADLINE)
        self.process.stdout.close()
