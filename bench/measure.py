"""One measurement: a new Redis, feed and contender, one piece of work, and its figures."""

import array
import dataclasses
import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time

from contenders import read_port
from machine import busy_seconds
from processes import BenchError, Process, wait_for
from redis_client import Redis

STREAMS = {"trade": "md:trade", "ticker": "md:ticker", "orderbook": "md:orderbook"}
REAL_SYMBOLS = ("BTC_JPY", "ETH_JPY", "XRP_JPY", "SOL_JPY", "DOGE_JPY")  # as the feed names them
WARM_UP_SECONDS = 1.0   # left out of rates, costs and delays: caches, JIT, allocators
STALL_SECONDS = 10.0    # without an entry: the rest counts as lost
SAMPLE_SECONDS = 0.5    # of memory
PROMETHEUS = {"Accept": "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "Accept-Encoding": "gzip"}  # as its version 2.42
LEVEL_BYTES = 36        # as in the feed's frame_pool.cpp


@dataclasses.dataclass
class Work:
    """What the feed sends."""
    seconds: float = 6
    rate: float = 0  # frames a second, 0: flat out
    symbols: int = 10
    depth: int = 20
    frame_bytes: int = 0
    mix: str = "60,25,15"
    burst: str = ""
    count: int = 0
    watch: bool = None  # whether delays are measured; by default if there is a rate
    metrics: bool = True
    maxlen: int = 100000
    maxlen_books: int = 20000
    reader_flags: tuple = ()
    agent_flags: tuple = ()

    def watches(self):
        return self.rate > 0 if self.watch is None else self.watch

    def symbol_names(self):
        names = list(REAL_SYMBOLS[:self.symbols])
        return names + [f"S{i:04}_JPY" for i in range(len(names), self.symbols)]

    def depth_of_books(self):
        return self.frame_bytes // (2 * LEVEL_BYTES) if self.frame_bytes else self.depth

    def feed_flags(self):
        flags = [f"--symbols={self.symbols}", f"--depth={self.depth}", f"--frame-bytes={self.frame_bytes}", f"--mix={self.mix}",
                 f"--rate={self.rate}", f"--seconds={self.seconds}", f"--count={self.count}"]
        return flags + ([f"--burst={self.burst}"] if self.burst else [])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def read_table(path, columns):
    values = array.array("q")
    with open(path, "rb") as file:
        values.frombytes(file.read())
    return [values[i::columns] for i in range(columns)]


class World:
    """Redis, feed, contender and watch in a folder of their own, which is removed with them."""

    def __init__(self, contender, work, build):
        self.contender, self.work, self.build = contender, work, build
        self.folder = tempfile.mkdtemp(prefix="mdpipe-bench.", dir="/tmp")
        self.redis_port = free_port()
        self.server = self.feed = self.watch = self.redis = None

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        self.server = Process("redis-server", [
            "redis-server", "--bind", "127.0.0.1", "--port", str(self.redis_port), "--save", "", "--appendonly", "no",
            "--dir", self.folder, "--daemonize", "no"], self.folder)
        self.redis = wait_for(self._connect, "Redis answers")
        self.feed = Process("feed", [
            os.path.join(self.build, "bench", "bench-feed"), "--go", f"--port-file={self.path('feed-port')}",
            f"--report={self.path('report')}", *self.work.feed_flags(),
            *([f"--table={self.path('sent')}"] if self.work.watches() else [])], self.folder, stdin=subprocess.PIPE)
        feed_port = wait_for(lambda: self.feed.check() or read_port(self.path("feed-port")), "the feed listens")
        self.contender.start(self.work, self.folder, feed_port, self.redis_port)
        wait_for(lambda: self.check() or "subscribed" in self.feed.output(), f"{self.contender.name} subscribes")
        if self.work.watches():
            self.watch = Process("watch", [os.path.join(self.build, "bench", "bench-watch"), str(self.redis_port),
                                           self.path("seen"), *STREAMS.values()], self.folder)

    def __exit__(self, *_):
        for part in (self.contender, self.watch, self.feed):
            if part:
                part.stop()
        if self.redis:
            self.redis.close()
        if self.server:
            self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _connect(self):
        self.server.check()
        try:
            return Redis(self.redis_port)
        except OSError:
            return None

    def path(self, name):
        return os.path.join(self.folder, name)

    def processes(self):
        return [*self.contender.processes, self.server, self.feed, *([self.watch] if self.watch else [])]

    def check(self):
        for process in [self.server, self.feed, *self.contender.processes]:
            process.check()

    def cpu(self):
        return {process.name: process.cpu_seconds() for process in self.processes()}

    def memory(self):
        return {process.name: process.memory() for process in [*self.contender.processes, self.server]}

    def go(self):
        self.feed.process.stdin.write(b"go\n")
        self.feed.process.stdin.flush()

    def report(self):
        """What the feed sent; waits until the feed is done."""
        if not os.path.exists(self.path("report")):
            return None
        with open(self.path("report"), encoding="ascii") as file:
            return json.load(file)

    def events(self):
        """Entries of market data; those about the feeds themselves are left out."""
        return self.redis.xadd_calls() - self.redis.entries_added("md:feed")

    def scrape(self, headers=None):
        """The page as Prometheus requests it, and how many milliseconds that took."""
        if not self.contender.metrics_port:
            return b"", 0
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.contender.metrics_port, timeout=10)
        connection.request("GET", "/metrics", headers=PROMETHEUS if headers is None else headers)
        page = connection.getresponse().read()
        took = 1000 * (time.monotonic() - began)
        connection.close()
        return page, took

    def snapshot(self):
        return {"at": time.monotonic(), "events": self.events(), "cpu": self.cpu(), "busy": busy_seconds()}

    def delays(self):
        """[(due, sent, seen)] in ns since 1970, for all frames in order of their kinds."""
        self.watch.stop()
        kinds, dues, sents = read_table(self.path("sent"), 3)
        streams, ats = read_table(self.path("seen"), 2)
        frames = [[], [], []]
        for kind, due, sent in zip(kinds, dues, sents):
            frames[kind].append((due, sent))
        seen = [[], [], []]
        for stream, at in zip(streams, ats):
            seen[stream].append(at)
        if [len(x) for x in frames] != [len(x) for x in seen]:
            raise BenchError(f"sent {[len(x) for x in frames]}, watched {[len(x) for x in seen]}: trimmed before they were read?")
        return sorted((due, sent, at) for sent_of, seen_of in zip(frames, seen) for (due, sent), at in zip(sent_of, seen_of))


def quantiles(values):
    ordered = sorted(values)
    return {name: ordered[min(len(ordered) - 1, int(share * len(ordered)))]
            for name, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))} | {"max": ordered[-1]}


def curve(rows, step=0.25):
    """Delay after the due time by second: [[seconds, median ms, largest ms]]."""
    start, out, bucket = rows[0][0], [], []
    edge = step
    for due, _, seen in rows:
        while (due - start) / 1e9 >= edge:
            if bucket:
                bucket.sort()
                out.append([edge - step / 2, bucket[len(bucket) // 2], bucket[-1]])
            bucket, edge = [], edge + step
        bucket.append((seen - due) / 1e6)
    if bucket:
        bucket.sort()
        out.append([edge - step / 2, bucket[len(bucket) // 2], bucket[-1]])
    return out


def delay_summary(rows):
    warm = [row for row in rows if row[1] >= rows[0][1] + WARM_UP_SECONDS * 1e9] or rows
    return {"delay_ms": quantiles((seen - sent) / 1e6 for _, sent, seen in warm),
            "feed_late_ms": quantiles((sent - due) / 1e6 for due, sent, _ in warm), "curve": curve(rows)}


def run(contender_class, work, build):
    """Returns a dictionary of all figures of one measurement."""
    with World(contender_class(build), work, build) as world:
        return measure(world)


def measure(world):
    time.sleep(0.3)  # the contender is still busy after its first subscription
    first = world.snapshot()  # a second one follows after the warm-up, unless the work is done by then
    world.go()
    began = time.monotonic()
    warm_up = min(WARM_UP_SECONDS, world.work.seconds / 4)
    report, is_warm, is_scraped = None, False, False
    memory_curve, progress, moved = [], 0, began
    while True:
        now = time.monotonic()
        report = report or world.report()
        events = world.events()
        if events > progress:
            progress, moved = events, now
        if report and (events >= report["frames"] or now - moved > STALL_SECONDS):
            break
        if not is_warm and now - began >= warm_up:
            first, is_warm = world.snapshot(), True
        if not is_scraped and now - began > world.work.seconds / 2:
            world.scrape()
            is_scraped = True
        if now - began >= SAMPLE_SECONDS * len(memory_curve):
            memory_curve.append([now - began, {name: m["VmRSS"] for name, m in world.memory().items()}])
        world.check()
        time.sleep(0.005 if report else 0.05)
    return figures(world, first, world.snapshot(), report, memory_curve)


def figures(world, first, last, report, memory_curve):
    added = {kind: world.redis.entries_added(stream) for kind, stream in STREAMS.items()}
    events = last["events"] - first["events"]
    seconds = last["at"] - first["at"]
    cpu = {name: last["cpu"][name] - first["cpu"][name] for name in last["cpu"]}
    per_million = {name: 1e6 * value / events for name, value in cpu.items()}
    memory = world.memory()
    own = [process.name for process in world.contender.processes]
    out = {
        "contender": world.contender.name, "work": dataclasses.asdict(world.work), "frames": report["frames"],
        "frame_bytes_mean": report["bytes"] / report["frames"], "added": added,
        "lost": {kind: report[kind] - added[kind] for kind in added}, "complete": all(report[k] == added[k] for k in added),
        "others": (last["busy"] - first["busy"] - sum(cpu.values())) / seconds,  # cores that something else used
        "rate": events / seconds, "seconds": seconds, "cpu_per_million": per_million,
        "cpu_own": sum(per_million[name] for name in own), "cpu_share": {name: value / seconds for name, value in cpu.items()},
        "memory_max": {name: value["VmHWM"] for name, value in memory.items()},
        "memory_own": sum(memory[name]["VmHWM"] for name in own),
        "memory_curve": memory_curve, "memory_anon": {name: value["RssAnon"] for name, value in memory.items()},
    }
    if world.watch and out["complete"]:
        time.sleep(0.2)  # the watch reads the last answer
        out |= delay_summary(world.delays())
    return out
