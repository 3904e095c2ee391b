#!/usr/bin/python3
"""metrics-agent writes windows in CloudWatch's embedded metric format: every line is valid against the published format and
within its limits, and the sums are those of the window log, also over a kill. MDPIPE_BIN_DIR names the folder of the binary."""

import collections
import json
import os
import subprocess
import sys
import unittest

import jsonschema

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from metrics_agent_support import BOUNDS, wait_for  # noqa: E402
from statsd_support import AgentCase, BINARY, StrictReceiver  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
LINE_BYTES_MAX = 256_000  # of an event of CloudWatch Logs, before the limit became 1 MB
RECEIVED = "collector_messages_received_total"
PUBLISHED = "collector_messages_published_total"
ERRORS = "collector_errors_total"
LATENCY = "collector_publish_latency_seconds"

with open(os.path.join(HERE, "emf_schema.json"), encoding="utf-8") as schema_file:
    SCHEMA = jsonschema.Draft7Validator(json.load(schema_file))


def emf_lines(*agents):
    return [line for agent in agents for line in list(agent.lines) if line["msg"] == "emf"]


def check_line(line):
    """Raises if CloudWatch would not accept the document."""
    SCHEMA.validate(line)
    assert len(json.dumps(line)) < LINE_BYTES_MAX
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for name in (name for names in directive["Dimensions"] for name in names):
            value = line[name]
            assert isinstance(value, str) and 0 < len(value) <= 1024 and value.isascii() and value.isprintable(), value
        for metric in directive["Metrics"]:
            values = line[metric["Name"]]
            values = values if isinstance(values, list) else [values]
            assert 0 < len(values) <= 100
            assert all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values), values


def dimensions(line):
    (names,) = line["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    return {name: line[name] for name in names}


def sums(lines, metric):
    """{dimension values: sum} of a metric over all windows"""
    out = collections.Counter()
    for line in lines:
        if metric in line:
            out[tuple(dimensions(line).values())] += line[metric]
    return dict(out)


class EmfTest(AgentCase):
    def traffic(self, turns=3):
        reader, publisher = self.reader, self.publisher
        for turn in range(1, turns + 1):
            for number in range(5):
                reader.add(RECEIVED, ["gmo", "ticker", f"S{number}"], turn + number)
                publisher.add(PUBLISHED, ["gmo", "md:ticker", f"S{number}"], turn)
            reader.add("collector_reconnects_total", ["gmo"], 1)
            reader.add(ERRORS, ["ws-reader", "api_error"], 2)
            self.observed += 1000 * turn
            publisher.set("histograms", LATENCY, ["gmo", "md:ticker"],
                          (self.observed, self.observed * 1e6, [0] * BOUNDS, [[960, self.observed // 2],
                                                                              [980, self.observed - self.observed // 2]]))
            reader.send()
            publisher.send()

    def start(self, **options):
        agent = self.agent(emf="true", **options)
        self.observed = 0
        self.reader, self.publisher = self.component(), self.component("md-publisher", "main")
        return agent

    def log_sums(self, *agents):
        received, published, errors, reconnects = (collections.Counter() for _ in range(4))
        for agent in agents:
            for window in agent.windows("gmo"):
                received.update(window["received"])
                published.update(window["published"])
                errors.update(window["errors"])
                reconnects["gmo"] += window["reconnects"]
        return received, published, errors, reconnects

    def check_sums(self, *agents):
        lines = emf_lines(*agents)
        for line in lines:
            check_line(line)
        received, published, errors, reconnects = self.log_sums(*agents)
        self.assertEqual(sums(lines, RECEIVED), {("gmo", "ticker"): sum(received.values())})
        self.assertEqual(sums(lines, PUBLISHED), {("gmo", "md:ticker"): sum(published.values())})
        self.assertEqual(sums(lines, ERRORS)[("ws-reader", "api_error")], errors["api_error"])
        self.assertEqual(sums(lines, "collector_reconnects_total"), {("gmo",): reconnects["gmo"]})
        self.assertEqual(sums(lines, LATENCY + "_count"), {("gmo", "md:ticker"): self.observed})
        return sum(received.values())

    def test_valid_lines_whose_sums_are_those_of_the_window_log(self):
        agent = self.start()
        self.traffic()
        self.wait_windows(agent, 2)
        self.traffic()
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(self.check_sums(agent), 2 * 5 * (1 + 2 + 3 + 3 * 2))
        line = next(line for line in emf_lines(agent) if LATENCY in line)
        self.assertEqual(list(line)[:7], ["level", "time", "pid", "hostname", "name", "msg", "_aws"])
        self.assertEqual(len(line[LATENCY]), 100)
        self.assertLess(min(line[LATENCY]), max(line[LATENCY]))
        self.assertGreater(agent.windows("gmo")[0]["window_seconds"], 0)

    def test_a_kill_repeats_nothing_and_loses_nothing(self):
        first = self.start()
        self.traffic()
        wait_for(lambda: sum(sums(emf_lines(first), RECEIVED).values()) == 60, "the first traffic")
        self.wait_windows(first, 2)
        first.kill()
        second = self.agent(emf="true")
        for component in (self.reader, self.publisher):
            component.subscribed()
        self.traffic(1)
        wait_for(lambda: sum(sums(emf_lines(first, second), RECEIVED).values()) >= 75, "the rest")
        self.wait_windows(second, 2)
        self.assertEqual(second.stop(), 0)
        self.assertEqual(self.check_sums(first, second), 75)

    def test_many_and_hostile_symbols_keep_the_limits(self):
        agent = self.start(emf_symbols="true", emf_namespace="mine/too")
        for number in range(500):
            self.reader.add(RECEIVED, ["gmo", "ticker", f"S{number}"], 1)
            self.reader.set("gauges", "collector_feed_state", ["gmo", "ticker", f"S{number}"], float(number % 6))
        for label in ("日本\"\\", " ", "", "x" * 256):
            self.reader.add(RECEIVED, ["gmo", "ticker", label], 7)
        self.reader.send()
        wait_for(lambda: sum(sums(emf_lines(agent), RECEIVED).values()) == 528, "all symbols")
        self.assertEqual(agent.stop(), 0)
        for line in emf_lines(agent):
            check_line(line)
            self.assertEqual(line["_aws"]["CloudWatchMetrics"][0]["Namespace"], "mine/too")
        counted = sums(emf_lines(agent), RECEIVED)
        self.assertEqual(counted[("gmo", "ticker", "S17")], 1)
        self.assertEqual(counted[("gmo", "ticker", "none")], 14)

    def test_feeds_by_state_and_points(self):
        agent = self.start()
        for number in range(9):
            self.reader.set("gauges", "collector_feed_state", ["gmo", "ticker", f"S{number}"], 3.0 if number < 2 else 1.0)
        self.reader.send()
        state = {"exchange": "gmo", "channel": "ticker", "state": "stale"}
        line = wait_for(lambda: next((line for line in emf_lines(agent) if dimensions(line) == state), None), "the state")
        self.assertEqual(line["collector_feed_state"], 2)
        wait_for(lambda: agent.samples()['collector_forwarded_points_total{destination="emf"}'] > 0, "points are counted")
        self.assertEqual(agent.stop(), 0)

    def test_beside_statsd_that_is_away(self):
        path = os.path.join(self.folder, "statsd.sock")
        agent = self.start(statsd_address=f"unix://{path}", statsd_format="dogstatsd")
        self.traffic()
        self.wait_windows(agent, 2)
        receiver = self.closing(StrictReceiver(path, is_dog=True))
        wait_for(lambda: sum(c for key, c in receiver.counters.items() if key[0] == "mdpipe." + RECEIVED) >= 60, "the counts")
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(self.check_sums(agent), 60)
        self.assertEqual(sum(c for key, c in receiver.counters.items() if key[0] == "mdpipe." + RECEIVED), 60)

    def test_off_unless_asked_for_and_refused_where_it_could_not_be_seen(self):
        agent = self.agent()
        self.wait_windows(agent, 0)
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(emf_lines(agent), [])
        for arguments, part in ((["--log-level=warn"], "--log-level=info"), (["--emf-namespace=AWS/x"], "--emf-namespace")):
            run = subprocess.run([BINARY, "--emf", *arguments, "--check-config"], capture_output=True, text=True, timeout=20, check=False)
            self.assertEqual(run.returncode, 78)
            self.assertIn(part, run.stderr)

    def test_the_check_itself_refuses_what_is_not_emf(self):
        good = {"_aws": {"Timestamp": 1764000000000, "CloudWatchMetrics": [
            {"Namespace": "n", "Dimensions": [["d"]], "Metrics": [{"Name": "m", "Unit": "Count"}]}]}, "d": "x", "m": 1}
        check_line(good)
        metrics = [{"Name": "m"}] * 101
        directive = good["_aws"]["CloudWatchMetrics"][0]
        for bad in ({**good, "m": "1"}, {**good, "m": [1] * 101}, {**good, "d": ""}, {**good, "d": "日"}, {"d": "x", "m": 1},
                    {**good, "_aws": {**good["_aws"], "CloudWatchMetrics": [{**directive, "Metrics": metrics}]}},
                    {**good, "_aws": {**good["_aws"], "CloudWatchMetrics": [{**directive, "Dimensions": [list("abcd") * 8]}]}}):
            with self.assertRaises((jsonschema.ValidationError, AssertionError, KeyError)):
                check_line(bad)


if __name__ == "__main__":
    unittest.main(verbosity=2)
