#!/usr/bin/python3
"""Memory over time: the whole pipeline at a steady rate. Usage: soak_memory.py BUILD_DIR MINUTES EVENTS_PER_SECOND

Prints each process's resident memory every half minute, and at the end what was sent, received and published. Not a
test: it asserts nothing but that the counts agree.
"""

import os
import sys
import time

if len(sys.argv) != 4:
    sys.exit(__doc__)
os.environ["MDPIPE_BIN_DIR"] = sys.argv[1]
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
from mdpipe_stack import Stack, wait_for  # noqa: E402

MINUTES, RATE = float(sys.argv[2]), int(sys.argv[3])
SYMBOLS = "BTC_JPY,ETH_JPY,XRP_JPY,SOL_JPY"
EVERY = 30  # seconds


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


with Stack() as stack:
    programs = [stack.publisher(maxlen="10000"), stack.agent(metrics_interval_seconds=10)]
    simulator, url = stack.simulator("gmo", symbols=SYMBOLS, rate=RATE, events=int(MINUTES * 60 * RATE))
    programs.append(stack.reader("gmo", symbols=SYMBOLS, url=url))
    wait_for(lambda: stack.total() > 0, "events flow")
    print("seconds  " + "  ".join(f"{program.name:>13}" for program in programs) + "   (KiB resident)", flush=True)
    start = time.monotonic()
    while time.monotonic() - start < MINUTES * 60:
        print(f"{time.monotonic() - start:7.0f}  " +
              "  ".join(f"{resident_kib(program.process.pid):13}" for program in programs), flush=True)
        time.sleep(EVERY)
    received = wait_for(lambda: stack.sum_of("collector_messages_received_total"), "counts")
    wait_for(lambda: stack.sum_of("collector_messages_published_total") == stack.sum_of("collector_messages_received_total"),
             "published equals received", 60)
    print(f"received {stack.sum_of('collector_messages_received_total'):.0f}, "
          f"published {stack.sum_of('collector_messages_published_total'):.0f}, "
          f"dropped {stack.sum_of('collector_dropped_events_total'):.0f}, "
          f"errors {stack.sum_of('collector_errors_total'):.0f}")
