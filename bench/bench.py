#!/usr/bin/python3
"""Measures mdpipe, a collector in Node.js, and a program that does the least possible. bench/run.sh builds what this
needs; docs/performance.md says what is measured and how."""

import argparse
import json
import os
import signal
import sys
import time

import report
from contenders import NodeCollector
from machine import describe_machine
from modes import MODES, say
from processes import BenchError

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
ALL = ("main", "start", "idle", "memory", "metrics", "symbols", "depth", "burst", "agent", "micro")


def arguments():
    parser = argparse.ArgumentParser(prog="bench/run.sh", description=__doc__)
    parser.add_argument("mode", nargs="*", default=["main"], metavar="MODE",
                        help="main (default): rate, cost, memory and delay, flat out and paced; start, idle, memory, metrics, "
                             "symbols, depth, burst, agent, micro; all: all of them; report: only make the report of the results that are there")
    parser.add_argument("--quick", action="store_true", help="shorter and fewer rounds: main takes about 3 minutes")
    parser.add_argument("--rounds", type=int, default=0, help="rounds of alternating runs (5, with --quick 2)")
    parser.add_argument("--seconds", type=float, default=0, help="of idle, memory and agent")
    parser.add_argument("--only", type=lambda text: text.split(","), help="only these of mdpipe,baseline,node,limit")
    parser.add_argument("--baseline", metavar="FOLDER", help="another build of mdpipe, measured in turn with --build; the report has "
                        "the ratio of the two, round by round")
    parser.add_argument("--build", default=os.path.join(ROOT, "build"), help="folder of the build")
    parser.add_argument("--results", default=os.path.join(HERE, "results"), help="folder for the figures, JSON")
    parser.add_argument("--docs", action="store_true", help="also write them into docs/performance.md and its plots; what was not measured stays there")
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.mode = list(ALL) if "all" in options.mode else options.mode
    unknown = [mode for mode in options.mode if mode not in MODES and mode != "report"]
    if unknown:
        parser.error(f"unknown mode '{unknown[0]}'; known are {', '.join(MODES)}, all, report")
    return options


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    options = arguments()
    # However this program ends, also as a background job, the processes that it started end too.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    os.makedirs(options.results, exist_ok=True)
    if not NodeCollector.is_there():
        say("the Node collector is left out: node or its packages are not here")
    for mode in options.mode:
        if mode == "report":
            continue
        say(f"--- {mode}")
        results = {"mode": mode, "quick": options.quick, "time": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
                   "machine": describe_machine(), **MODES[mode](options)}
        with open(os.path.join(options.results, f"{mode}.json"), "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
    print()
    print(report.text(options.results))
    if options.docs:
        report.write_docs(options.results, os.path.join(ROOT, "docs"))


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
