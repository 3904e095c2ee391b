"""The modes of the benchmark, one function for each sub command. Each returns {"runs": [figures of each run]} for the results folder."""

import json
import os
import socket
import statistics
import subprocess
import time

from agent import describe_agent, run_agent
from contenders import Limit, Mdpipe, NodeCollector, baseline_from
from measure import Work, World, run
from processes import BenchError, Process

MIB = 1 << 20
QUIET_CORES = 0.2  # if other programs use more, the run is marked as disturbed


def say(line):
    print(line, flush=True)


def contenders(options):
    """mdpipe and the programs that it is compared with; the Node collector only if node and its packages are installed."""
    found = [Mdpipe, Limit]
    if options.baseline:
        found.insert(1, baseline_from(options.baseline))
    if NodeCollector.is_there():
        found.insert(1, NodeCollector)
    return [contender for contender in found if not options.only or contender.name in options.only]


def describe(figures):
    delay = figures.get("delay_ms")
    text = (f"{figures['contender']:7} {figures['rate']:9,.0f} events/s  {figures['cpu_own']:6.2f} cpu s/million"
            f"  {figures['memory_own'] / MIB:6.1f} MiB")
    if delay:
        text += f"  delay p50 {delay['p50']:.3f} p99 {delay['p99']:.3f} p99.9 {delay['p999']:.3f} ms"
    if figures["others"] > QUIET_CORES:
        text += f"  (other programs: {figures['others']:.1f} cores)"
    return text if figures["complete"] else text + f"  LOST {figures['lost']}"


def alternate(options, works, classes=None):
    """All pieces of work with all contenders in turn, for several rounds, so that other load on the machine affects all of them. Every
    other round has the opposite order: the first of two equal builds was seen to be 3 to 5 % slower."""
    runs = []
    for number in range(options.rounds):
        order = list(classes or contenders(options))
        if number % 2 == 1:
            order.reverse()
        for label, work in works.items():
            for contender in order:
                figures = run(contender, work, options.build)
                runs.append(figures | {"label": label, "round": number})
                say(f"{number + 1}/{options.rounds}  {label:16} {describe(figures)}")
    return {"runs": runs}


def main_table(options):
    span = 3 if options.quick else 8
    return alternate(options, {
        "flat out": Work(seconds=3 if options.quick else 6),
        "1,000/s": Work(seconds=span, rate=1000),
        "5,000/s": Work(seconds=span, rate=5000),
        "20,000/s": Work(seconds=span, rate=20000)})


def metrics(options):
    seconds = 3 if options.quick else 8
    return alternate(options, {"metrics on": Work(seconds=seconds), "metrics off": Work(seconds=seconds, metrics=False)}, [Mdpipe])


def symbols(options):
    return alternate(options, {f"{n:,} symbols": Work(seconds=3 if options.quick else 5, symbols=n) for n in (10, 100, 1000)},
                     [c for c in contenders(options) if c is not Limit])


def depth(options):
    return alternate(options, {f"{n:,} levels": Work(seconds=3 if options.quick else 5, depth=n, maxlen_books=2000)
                               for n in (10, 100, 1000)}, [c for c in contenders(options) if c is not Limit])


def burst(options):
    """Ten times the rate for ten seconds, and very large books; delays count from when a frame was due."""
    seconds, at, span = (12, 3, 4) if options.quick else (30, 5, 10)
    works = {"burst 10x": Work(seconds=seconds, rate=4000, burst=f"10:{span}:{at}", maxlen=1000000, maxlen_books=20000),
             "books of 1 MB": Work(seconds=seconds / 2, rate=40, frame_bytes=1000000, maxlen_books=20),
             "books of 5 MB": Work(seconds=seconds / 2, rate=20, frame_bytes=5000000, maxlen_books=20)}
    return alternate(options, works)


def memory(options):
    """1,000 symbols at 5,000 frames a second: how large is resident memory, and does it grow?"""
    work = Work(seconds=options.seconds or (20 if options.quick else 120), rate=5000, symbols=1000, watch=False)
    return alternate(options, {"1,000 symbols": work}, [Mdpipe])


def agent(options):
    """metrics-agent with all its destinations: 1,000 symbols of three channels; and pages of some 20,000 series."""
    runs = []
    for label, seconds, symbols in (("1,000 symbols", options.seconds or (30 if options.quick else 120), 1000),
                                    ("20,000 series", 0, 550)):
        runs.append(run_agent(options.build, seconds, symbols=symbols) | {"label": label, "contender": "mdpipe"})
        say(describe_agent(runs[-1]))
    return {"runs": runs}


def idle(options):
    """Connected and subscribed, but without data."""
    seconds = options.seconds or (10 if options.quick else 60)
    runs = []
    for contender in contenders(options):
        with World(contender(options.build), Work(symbols=2, watch=False), options.build) as world:
            time.sleep(8)  # until its six subscriptions are sent, one every 1.05 s as GMO Coin requires
            before, began = world.cpu(), time.monotonic()
            time.sleep(seconds)
            after, span = world.cpu(), time.monotonic() - began
            share = {name: (after[name] - before[name]) / span for name in after}
            runs.append({"label": "idle", "contender": contender.name, "seconds": span, "cpu_share": share})
            say(f"{contender.name:7} " + "  ".join(f"{name} {100 * value:.3f} %" for name, value in share.items()))
    return {"runs": runs}


def start(options):
    """From the start of a process to its READY, as systemd receives it."""
    times = {}
    for _ in range(5 if options.quick else 20):
        for name, ms in start_once(options).items():
            times.setdefault(name, []).append(ms)
    for name, values in times.items():
        say(f"{name:14} median {statistics.median(values):6.1f} ms  largest {max(values):6.1f} ms")
    return {"runs": [{"label": "start", "ms": times}]}


def start_once(options):
    """The programs one after the other, each with what it needs already running; ws-reader subscribes to one stream."""
    work = Work(symbols=1, watch=False, reader_flags=("--channels=ticker",))
    times = {}

    class Timed(Mdpipe):
        def _run(self, name, command, folder, **more):
            path = os.path.join(folder, f"notify-{name}")
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
                notify.bind(path)
                notify.settimeout(10)
                began = time.monotonic()
                self.processes.append(Process(name, command, folder, environment={"NOTIFY_SOCKET": path}))
                try:
                    while b"READY=1" not in notify.recv(4096):
                        pass
                except TimeoutError:
                    raise BenchError(f"{name} does not become ready") from None
                times[name] = 1000 * (time.monotonic() - began)

    with World(Timed(options.build), work, options.build):
        return times


def micro(options):
    """Each stage alone, with Google Benchmark."""
    program = os.path.join(options.build, "bench", "micro", "bench-micro")
    if not os.path.exists(program):
        raise BenchError(f"{program} is not there; build with -DMDPIPE_BENCH=ON, as bench/run.sh micro does")
    command = [program, "--benchmark_format=json", f"--benchmark_min_time={0.05 if options.quick else 0.5}",
               f"--benchmark_repetitions={options.rounds}", "--benchmark_report_aggregates_only=true"]
    found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout)["benchmarks"]
    runs = [{"label": one["run_name"], "ns": one["cpu_time"] * {"ns": 1, "us": 1e3, "ms": 1e6}[one["time_unit"]],
             "bytes_per_second": one.get("bytes_per_second")} for one in found if one.get("aggregate_name", "median") == "median"]
    for run_ in runs:
        say(f"{run_['label']:32} {run_['ns']:14,.0f} ns")
    return {"runs": runs}


MODES = {"main": main_table, "metrics": metrics, "symbols": symbols, "depth": depth, "burst": burst, "memory": memory,
         "idle": idle, "start": start, "agent": agent, "micro": micro}
