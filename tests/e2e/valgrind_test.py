#!/usr/bin/python3
"""One end-to-end run with our three programs under valgrind: no error, no leak, and everything arrives."""

import os
import shutil
import sys
import unittest

os.environ.setdefault("MDPIPE_WRAPPER", "valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from mdpipe_stack import Stack, check_sequence, wait_for  # noqa: E402

EVENTS = 1500
PATIENCE = 120  # seconds; valgrind is some thirty times slower


@unittest.skipUnless(shutil.which("valgrind"), "valgrind is not installed")
class ValgrindTest(unittest.TestCase):
    def test_whole_run(self):
        with Stack() as stack:
            programs = [stack.publisher(), stack.agent()]
            simulator, url = stack.simulator("gmo", symbols="BTC_JPY,ETH_JPY", rate=300, garbage_every=50, close_after=900)
            reader = stack.reader("gmo", symbols="BTC_JPY,ETH_JPY", url=url)
            wait_for(lambda: stack.total() >= EVENTS, f"{EVENTS} events in Redis", PATIENCE)
            wait_for(lambda: stack.sum_of("collector_messages_published_total") >= EVENTS, "the agent knows", PATIENCE)
            for program in (reader, simulator, *programs):
                self.assertEqual(program.stop(PATIENCE), 0, "".join(program.errors))
            check_sequence(stack.all_entries(), self)


if __name__ == "__main__":
    unittest.main(verbosity=2)
