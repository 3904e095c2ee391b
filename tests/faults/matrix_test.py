#!/usr/bin/python3
"""The fault matrix, short form: each fault of each target once, in an order and at moments from a seed.

MDPIPE_FAULT_SEED replays a run, MDPIPE_FAULT_ONLY ("ws-reader kill,redis") picks faults by how they begin, and
MDPIPE_FAULT_QUIET=1 compares the counts after each fault, to find the one that spoils them.
"""

import os
import random
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import NOT_APPLICABLE, catalogue  # noqa: E402
from runner import Runner  # noqa: E402
from world import World  # noqa: E402

SEED = int(os.environ.get("MDPIPE_FAULT_SEED", "20261125"))
ONLY = tuple(filter(None, os.environ.get("MDPIPE_FAULT_ONLY", "").split(",")))
QUIET = bool(os.environ.get("MDPIPE_FAULT_QUIET"))
RATE = 500  # events/s
SECONDS = 1.5  # of each fault that lasts


def say(text):
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


class MatrixTest(unittest.TestCase):
    def test_every_pair_once(self):
        rng = random.Random(SEED)
        say(f"seed {SEED}")
        for pair, why in NOT_APPLICABLE.items():
            say(f"not done: {' '.join(pair)}: {why}")
        faults = [fault for fault in catalogue() if not ONLY or str(fault).startswith(ONLY)]
        rng.shuffle(faults)
        with World(SEED, RATE) as world:
            runner = Runner(world, rng, out=say)
            for fault in faults:
                runner.fault(fault, seconds=SECONDS)
                if QUIET:
                    runner.quiet()
            findings = runner.finish()
            runner.report()
        self.assertFalse(findings, f"seed {SEED}")
        self.assertFalse(world.complaints, f"seed {SEED}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the world is closed on the way out
    unittest.main(warnings="ignore")  # a client whose server was killed leaves sockets to the collector
