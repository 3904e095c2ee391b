"""The README's consumer, unchanged, against real streams: exchange-sim, ws-reader, md-publisher and a private Redis."""

import json
import os
import re
import subprocess
import sys
import threading
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from mdpipe_stack import DEADLINE, Stack, wait_for  # noqa: E402

MARK = "<!-- run by tests/e2e/readme_consumer_test.py -->\n```python\n"
LINES_MAX = 12  # of the block, so that it can be read at a glance


class ReadmeConsumer(unittest.TestCase):
    def set_state(self, stack, state):
        """What md-publisher keeps, once the feeds are live and it has nothing more to write there."""
        def live():
            return [entry for entry in stack.feed_events() if entry["state"] == "live"]
        wait_for(lambda: len(live()) == 3, "ticker, trades and book are live")
        value = {"state": state, "since": int(live()[-1]["since"]), "reason": "set by the test"}
        stack.redis.client.hset("md:state", "gmo:ticker:BTC_JPY", json.dumps(value))

    def looked(self, stack):
        """How often the consumer looked at a state; no other program uses HGET."""
        return stack.redis.client.info("commandstats").get("cmdstat_hget", {}).get("calls", 0)

    def test_it_prints_trades_and_tickers_and_not_while_the_symbol_is_stale(self):
        source = re.search(re.escape(MARK) + "(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S).group(1)
        self.assertLessEqual(len(source.splitlines()), LINES_MAX)
        with Stack() as stack:
            _, url = stack.simulator("gmo", symbols="BTC_JPY", rate=50)
            stack.publisher()
            stack.reader("gmo", symbols="BTC_JPY", url=url)
            self.set_state(stack, "stale")
            consumer = subprocess.Popen([sys.executable, "-u", "-c", source], stdout=subprocess.PIPE, text=True,
                                        env=dict(os.environ, REDIS_URL=stack.redis.url))
            lines = []
            # extend() takes the lines one by one as they come, so the list grows while the consumer runs.
            reader = threading.Thread(target=lambda: lines.extend(consumer.stdout), daemon=True)
            reader.start()
            try:
                wait_for(lambda: self.looked(stack) >= 30, "the consumer saw events and looked before it traded")
                self.assertEqual(lines, [])
                self.set_state(stack, "quiet")
                for stream in ("md:trade", "md:ticker"):
                    wait_for(lambda: any(re.fullmatch(rf"{stream} gmo BTC_JPY \d+\n", line) for line in list(lines)),
                             f"a line of {stream}; it said {lines[-5:]}")
                self.set_state(stack, "gap")
                seen, looks = len(lines), self.looked(stack)
                wait_for(lambda: self.looked(stack) >= looks + 30, "the consumer looked again")
                self.assertLess(len(lines), seen + 15, "some were on their way when the state changed")
                self.assertIsNone(consumer.poll())
            finally:
                consumer.terminate()
                consumer.wait(DEADLINE)
                reader.join(DEADLINE)
                consumer.stdout.close()


if __name__ == "__main__":
    unittest.main()
