#!/usr/bin/python3
"""All destinations get the same counts: known traffic through the whole pipeline, and then Redis, the components' own totals on
/metrics, the window log, StatsD, OpenTelemetry and EMF are compared to the unit, over restarts and kills of metrics-agent and
an outage of each receiver. Exit code 77 if the OTLP receiver's packages cannot be installed."""

import collections
import os
import re
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "support"), os.path.join(HERE, "..", "integration")]
from mdpipe_stack import BIN_DIR, Stack, wait_for, window_totals  # noqa: E402
from otlp_receiver import install, OtlpReceiver  # noqa: E402
from statsd_support import CollectdReceiver, free_udp_port, StrictReceiver  # noqa: E402

PACKAGES = os.path.abspath(os.path.join(BIN_DIR, "metrics-agent", "otlp_receiver"))
SYMBOLS = "BTC_JPY,ETH_JPY"
SERIES = re.compile(r"(\w+){(.*)}$")
LABEL = re.compile(r'(\w+)="([^"]*)"')
# What every destination has of the same windows; the agent's own counters go on while they are read.
COUNTERS = ("collector_messages_received_total", "collector_received_bytes_total", "collector_messages_published_total",
            "collector_published_bytes_total", "collector_frames_received_total", "collector_errors_total",
            "collector_reconnects_total")
LATENCY = "collector_publish_latency_seconds"
OUTAGE = 90.0  # seconds; metrics-agent waits up to one minute before it tries an OTLP receiver again


def series_of(samples):
    """{(metric, label values...): count} of the counters that are not 0."""
    out = {}
    for text, value in samples.items():
        match = SERIES.match(text)
        if match and match[1] in COUNTERS and "metrics-agent" not in text and value:
            out[(match[1], *(value for _, value in LABEL.findall(match[2])))] = value
    return out


def safe(text):
    return re.sub(r"[^\w-]", "_", text) or "none"


class DestinationsTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.stack = Stack()
        self.addCleanup(self.stack.__exit__)
        self.agents = []
        self.otlp = OtlpReceiver(PACKAGES)
        self.addCleanup(self.otlp.stop)

    def start(self, **options):
        self.options = {"emf": "true", "emf_symbols": "true", "otlp_endpoint": f"http://127.0.0.1:{self.otlp.port}",
                        "otlp_interval_seconds": "1", **options}
        self.simulator, url = self.stack.simulator("gmo", symbols=SYMBOLS, rate=400, book_levels=5, seed=7, garbage_every=50,
                                                   garbage_kinds="truncated,unknown-channel", max_connection_age="4s")
        self.start_agent()
        self.stack.publisher(maxlen=0)
        self.reader = self.stack.reader("gmo", symbols=SYMBOLS, url=url, reconnect_delay_min="50ms",
                                        reconnect_delay_max="200ms")

    def start_agent(self):
        self.agents.append(self.stack.agent(**self.options))

    def progress(self, count=300):
        target = self.stack.total() + count
        wait_for(lambda: self.stack.total() >= target, f"{target} events in Redis")

    def windows(self, more=2):
        logged = len(self.agents[-1].logs("metrics"))
        self.agents[-1].wait_log("metrics", logged + more)

    def quiet(self):
        """Ends the load and waits until /metrics does not move any more: the truth that the others are compared with."""
        self.progress()
        self.simulator.stop()
        wait_for(lambda: self.stack.samples().get('collector_unconfirmed_events{source="gmo"}') == 0.0, "all confirmed")
        self.assertEqual(self.reader.stop(), 0)  # it would count that it cannot connect
        in_redis = {("collector_messages_published_total", "gmo", f"md:{kind}", symbol): float(count)
                    for kind in ("trade", "ticker", "orderbook")
                    for symbol, count in collections.Counter(entry["symbol"] for entry in self.stack.entries(f"md:{kind}")).items()}

        def agrees():
            counted = series_of(self.stack.samples())
            return {key: value for key, value in counted.items()
                    if key[0] == "collector_messages_published_total" and key[2] != "md:feed"} == in_redis
        wait_for(agrees, "/metrics equals Redis")
        self.windows(3)
        samples = self.stack.samples()
        truth = series_of(samples)
        for name in COUNTERS:
            self.assertTrue(any(key[0] == name for key in truth), f"{name} was counted")
        observations = {tuple(value for _, value in LABEL.findall(text)): value for text, value in samples.items()
                        if text.startswith(LATENCY + "_count")}
        return truth, observations

    # Each destination, as series_of() has it.

    def window_log(self):
        out = collections.Counter()
        for agent in self.agents:
            for part, metric in (("received", COUNTERS[0]), ("published", COUNTERS[2])):
                for key, count in window_totals(agent, part).items():
                    stream, symbol = key.rsplit(":", 1)
                    out[(metric, "gmo", stream, symbol)] += count
            for line in agent.logs("metrics"):
                out[("collector_reconnects_total", "gmo")] += line["metrics"]["reconnects"]
                for error_type, count in line["metrics"]["errors"].items():
                    out[("errors", error_type)] += count
        return {key: count for key, count in out.items() if count}

    def emf(self):
        """Counters, and observations of the latency."""
        counts, observations = collections.Counter(), collections.Counter()
        for line in (line for agent in self.agents for line in agent.logs("emf")):
            (directive,) = line["_aws"]["CloudWatchMetrics"]
            (names,) = directive["Dimensions"]
            values = tuple(line[name] for name in names)
            for metric in (one["Name"] for one in directive["Metrics"]):
                if metric in COUNTERS and "metrics-agent" not in values:
                    counts[(metric, *values)] += line[metric]
                elif metric == LATENCY + "_count":
                    observations[values] += line[metric]
        return {key: count for key, count in counts.items() if count}, dict(observations)

    def otlp_observations(self, is_delta):
        out = {}
        for metric, kind, _, point in self.otlp.points():
            if metric["name"] != LATENCY:
                continue
            self.assertEqual(kind, "exponentialHistogram")
            key = tuple(one["value"]["stringValue"] for one in point["attributes"])
            out[key] = int(point.get("count", 0)) + (out.get(key, 0) if is_delta else 0)
        return out

    def check_logs(self, truth, observations):
        """The window log and EMF; the agents have ended."""
        def without_feed(counts):
            return {key: count for key, count in counts.items() if "md:feed" not in key}

        logged = self.window_log()
        wanted = {key: count for key, count in truth.items()
                  if key[0] in (COUNTERS[0], COUNTERS[2], "collector_reconnects_total")}
        self.assertEqual({key: count for key, count in without_feed(logged).items() if key[0] != "errors"}, without_feed(wanted))
        for error_type in {key[2] for key in truth if key[0] == "collector_errors_total"}:
            self.assertGreaterEqual(logged[("errors", error_type)],
                                    sum(count for key, count in truth.items() if key[0] == "collector_errors_total" and key[2] == error_type))
        counts, latencies = self.emf()
        self.assertEqual(counts, truth)
        self.assertEqual(latencies, observations)

    def test_window_log_page_statsd_otlp_and_emf_agree_over_restarts_of_the_agent(self):
        """StatsD is Debian's collectd, OTLP is cumulative."""
        port = free_udp_port()
        collectd = CollectdReceiver(self.stack.folder, port)
        self.addCleanup(collectd.close)
        self.start(statsd_address=f"udp://127.0.0.1:{port}")
        self.progress()
        self.windows()
        self.assertEqual(self.agents[-1].stop(), 0)
        self.progress()
        self.start_agent()
        self.progress()
        self.windows()
        self.agents[-1].kill()
        self.start_agent()
        truth, observations = self.quiet()
        wait_for(lambda: series_of(self.otlp.last()) == truth, "OTLP agrees", OUTAGE)
        wait_for(lambda: self.otlp_observations(False) == observations, "OTLP's histograms agree")
        plain = {key: ".".join(("mdpipe." + key[0], *(safe(value) for value in key[1:]))) for key in truth}
        wait_for(lambda: {key: collectd.count(name) for key, name in plain.items()} == truth, "StatsD agrees")
        self.assertEqual(self.agents[-1].stop(), 0)
        self.check_logs(truth, observations)

    def test_they_agree_after_an_outage_of_each_receiver_and_a_kill_in_the_middle(self):
        """StatsD is DogStatsD on a Unix socket, OTLP sends increments: the agent must keep what neither accepts."""
        path = os.path.join(self.stack.folder, "statsd.sock")
        first = StrictReceiver(path, is_dog=True)
        self.addCleanup(lambda: first.thread.is_alive() and first.close())
        self.start(statsd_address=f"unix://{path}", statsd_format="dogstatsd", otlp_temporality="delta")
        self.progress()
        self.windows()
        # A receiver that is killed loses the data that it had not read, and no sender can prevent that. So the agent is paused.
        self.agents[-1].pause()
        wait_for(first.is_drained, "StatsD has read everything")
        first.close()
        self.agents[-1].resume()
        self.progress()
        self.windows()
        self.otlp.close_port()
        self.progress()
        self.windows()
        self.agents[-1].kill()
        self.progress()
        self.start_agent()
        self.progress()
        self.windows()
        second = StrictReceiver(path, is_dog=True)
        self.addCleanup(second.close)
        self.otlp.open_port()
        truth, observations = self.quiet()
        wait_for(lambda: series_of(self.otlp.sums()) == truth, "OTLP agrees", OUTAGE)
        wait_for(lambda: self.otlp_observations(True) == observations, "OTLP's histograms agree")

        def tags(metric, *values):
            return ("mdpipe." + metric, *sorted(f"{name}:{safe(value)}" for name, value in zip(self.labels(metric), values)))

        keys = {key: tags(*key) for key in truth}
        wait_for(lambda: {key: first.count(name) + second.count(name) for key, name in keys.items()} == truth, "StatsD agrees")
        latencies = {key: tags(LATENCY, *key) for key in observations}
        wait_for(lambda: {key: first.observations(name) + second.observations(name) for key, name in latencies.items()} == observations,
                 "StatsD's distributions agree")
        self.assertEqual(first.malformed + second.malformed, [])
        self.assertEqual(self.agents[-1].stop(), 0)
        self.check_logs(truth, observations)

    def labels(self, metric):
        """In the order of the page."""
        text = next(text for text in self.stack.samples() if text.startswith((metric + "{", metric + "_count{")))
        return [name for name, _ in LABEL.findall(text)]


if __name__ == "__main__":
    install(PACKAGES)
    unittest.main(verbosity=2)
