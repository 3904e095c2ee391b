#!/usr/bin/python3
"""Each recording of a supported exchange, replayed by exchange-sim through the whole pipeline: Redis, the window logs and
/metrics hold exactly what counts.json says. The repository does not contain the recordings; without them, the tests are skipped."""

import gzip
import json
import os
import re
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from mdpipe_stack import Stack, binary, wait_for, window_totals  # noqa: E402

RECORDED = os.environ.get("MDPIPE_RECORDED") or os.path.join(HERE, "..", "..", "..", "shared", "recorded")
EXCHANGES = {"gmo-coin": "gmo", "bitflyer": "bitflyer", "binance": "binance"}


def recordings():
    """{path below RECORDED: counts} of the exchanges we know."""
    index = os.path.join(RECORDED, "counts.json")
    if not os.path.exists(index):
        return {}
    with open(index, encoding="utf-8") as file:
        counts = json.load(file)
    return {name: entry for name, entry in counts.items() if name.split("/")[0] in EXCHANGES}


def expected(counts):
    """counts.json's numbers as {type or book kind: {symbol: count}}."""
    parts = {"trade": "trades_by_symbol", "ticker": "tickers_by_symbol", "snapshot": "snapshots_by_book",
             "delta": "deltas_by_book"}
    return {kind: counts[part] for kind, part in parts.items() if counts.get(part)}


def by_stream(counts):
    """The same by event type: both kinds of book frames are `orderbook`."""
    out = {}
    for kind, symbols in expected(counts).items():
        stream = kind if kind in ("trade", "ticker") else "orderbook"
        for symbol, count in symbols.items():
            out[f"{stream}:{symbol}"] = out.get(f"{stream}:{symbol}", 0) + count
    return out


def symbols_of(counts):
    return sorted({symbol for symbols in expected(counts).values() for symbol in symbols})


class RecordedReplayTest(unittest.TestCase):
    def setUp(self):
        self.recordings = recordings()
        if not self.recordings:
            self.skipTest(f"no recordings: {RECORDED}/counts.json is not there")

    def test_filter_makes_the_counted_events(self):
        for name, counts in self.recordings.items():
            with self.subTest(name):
                opened = gzip.open if name.endswith(".gz") else open
                with opened(os.path.join(RECORDED, name), "rb") as file:
                    done = subprocess.run([binary("ws-reader"), "--stdin", "--stdout", "--exchange",
                                           EXCHANGES[name.split("/")[0]]], input=file.read(), capture_output=True, check=True)
                found = {}
                for line in done.stdout.splitlines():
                    event = json.loads(line)
                    kind = found.setdefault(event.get("kind", event["type"]), {})
                    kind[event["symbol"]] = kind.get(event["symbol"], 0) + 1
                self.assertEqual(found, expected(counts))
                summary = json.loads(done.stderr.splitlines()[-1])
                kinds = counts["kinds"]
                self.assertEqual((summary["control"], summary["api_errors"], summary["other"], summary["rejected"]),
                                 (kinds.get("control", 0), kinds.get("error", 0), kinds.get("other", 0), 0))

    def test_whole_pipeline_holds_the_counted_events(self):
        for name, counts in self.recordings.items():
            with self.subTest(name), Stack() as stack:
                exchange = EXCHANGES[name.split("/")[0]]
                publisher = stack.publisher()
                agent = stack.agent()
                _, url = stack.simulator(exchange, replay=os.path.join(RECORDED, name), speed=0, rate=20000)
                # Raw: the books of a recording cannot be fetched any more.
                reader = stack.reader(exchange, url=url, symbols=",".join(symbols_of(counts)), books="raw")
                total = sum(by_stream(counts).values())
                wait_for(lambda: stack.total() >= total, f"{total} events of {name} in Redis", 60)
                self.assertEqual(stack.counts(), expected(counts))
                self.check_metrics(stack, exchange, by_stream(counts))
                for program in (reader, publisher, agent):
                    self.assertEqual(program.stop(), 0, program.name)
                self.assertEqual(stack.total(), total)
                received = {key: count for key, count in window_totals(agent, "received").items() if count}
                published = {key: count for key, count in window_totals(agent, "published").items() if count}
                self.assertEqual(received, by_stream(counts))
                self.assertEqual(published, {f"md:{key}": count for key, count in by_stream(counts).items()})

    def check_metrics(self, stack, exchange, wanted):
        def counted(metric, label, prefix):
            pattern = re.compile(rf'{metric}{{exchange="{exchange}",{label}="{prefix}((?!feed)\w+)",symbol="(\w+)"}}$')
            matches = ((pattern.match(name), value) for name, value in stack.samples().items())
            return {":".join(match.groups()): value for match, value in matches if match and value}
        wait_for(lambda: counted("collector_messages_received_total", "channel", "") == wanted, "/metrics: received")
        wait_for(lambda: counted("collector_messages_published_total", "stream", "md:") == wanted, "/metrics: published")


if __name__ == "__main__":
    unittest.main(verbosity=2)
