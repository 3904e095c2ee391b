#!/usr/bin/python3
"""The fault matrix, long form. Usage: soak.py MINUTES SEED [--rate N] [--seconds N] [--faults N] [--spool MODE]

Faults of random targets and kinds, singly and two at a time, at random moments, one after the other until the minutes
are over (or N faults are done), and every few minutes a pause in which everything must be in Redis and the counts must
add up. Ctrl-C ends it early, with the same report. Exit code 0 only if nothing was found wrong.
"""

import argparse
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import catalogue  # noqa: E402
from runner import Runner  # noqa: E402
from world import World  # noqa: E402

PAIRS = 0.3  # share of the steps that are two faults at once
QUIET_EVERY = 180  # seconds
MAXLEN = 50_000  # entries md-publisher keeps in a stream: minutes of the load, and what was read is not needed


def say(text):
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


def pick(rng, faults):
    first = rng.choice(faults)
    if rng.random() >= PAIRS:
        return [first]
    # If one reader ended twice in a row, its epochs would be too short to distinguish.
    return [first, rng.choice([fault for fault in faults if fault.target != first.target])]


def run(arguments):
    rng = random.Random(arguments.seed)
    faults = catalogue()
    end = time.monotonic() + arguments.minutes * 60
    quiet_at = time.monotonic() + QUIET_EVERY
    with World(arguments.seed, arguments.rate, {"spool": arguments.spool} if arguments.spool else {}, {"maxlen": MAXLEN}) as world:
        runner = Runner(world, rng, out=say)
        try:
            while time.monotonic() < end and not (arguments.faults and runner.result.faults >= arguments.faults):
                runner.fault(*pick(rng, faults), seconds=arguments.seconds)
                if time.monotonic() >= quiet_at:
                    runner.quiet()
                    quiet_at = time.monotonic() + QUIET_EVERY
        except KeyboardInterrupt:
            say("interrupted")
        world.heal()
        findings = runner.finish()
        runner.report()
    say(f"seed {arguments.seed}: {'FAILED' if findings or world.complaints else 'passed'}")
    return 1 if findings or world.complaints else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("minutes", type=float)
    parser.add_argument("seed", type=int)
    parser.add_argument("--rate", type=int, default=500, help="events per second")
    parser.add_argument("--seconds", type=float, default=10, help="length of faults that last")
    parser.add_argument("--faults", type=int, default=0, help="end after so many; 0: only by the clock")
    parser.add_argument("--spool", choices=("auto", "always", "off"), help="ws-reader's --spool")
    arguments = parser.parse_args()
    say(f"seed {arguments.seed}, {arguments.minutes:g} minutes, {arguments.rate} events/s, faults of {arguments.seconds:g} s")
    return run(arguments)


def interrupt(*_):
    raise KeyboardInterrupt


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell without job control has it ignored
        signal.signal(number, interrupt)
    sys.exit(main())
