#!/usr/bin/python3
"""metrics-agent as a process: real ZeroMQ, real HTTP, promtool and a real Prometheus. MDPIPE_BIN_DIR names the folder of
the binary."""

import gzip
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from metrics_agent_support import Agent, BOUNDS, Component, wait_for  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.path.join(os.environ.get("MDPIPE_BIN_DIR", "build"), "metrics-agent")
RECEIVED = ("collector_messages_received_total", ["gmo", "ticker", "BTC_JPY"])
RECEIVED_TEXT = 'collector_messages_received_total{exchange="gmo",channel="ticker",symbol="BTC_JPY"}'


class MetricsAgentTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mdpipe-agent-")
        self.agents, self.components = [], []

    def tearDown(self):
        for component in self.components:
            component.close()
        for agent in self.agents:
            if agent.process.poll() is None:
                agent.kill()
        shutil.rmtree(self.folder)

    def agent(self, **options):
        self.agents.append(Agent(BINARY, self.folder, **options))
        return self.agents[-1]

    def component(self, name="ws-reader", source="gmo"):
        component = Component(f"ipc://{self.folder}/metrics", name, source)
        self.components.append(component)
        component.subscribed()
        return component

    def reader_with_traffic(self):
        reader = self.component()
        reader.add(*RECEIVED, 150)
        reader.add("collector_received_bytes_total", RECEIVED[1], 150 * 181)
        for error_type in ("parse_error", "publish_error", "api_error", "unknown_symbol"):
            reader.add("collector_errors_total", ["ws-reader", error_type], 1 if error_type == "api_error" else 0)
        reader.set("gauges", "collector_connection_up", ["gmo"], 1.0)
        reader.set("gauges", "collector_unconfirmed_events", ["gmo"], 7.0)
        reader.set("gauges", "collector_feed_state", RECEIVED[1], 1.0)  # live
        reader.set("gauges", "collector_feed_state_since_timestamp_seconds", RECEIVED[1], 1764064800.5)
        reader.set("gauges", "process_cpu_seconds_total", ["ws-reader", "gmo"], 0.25)
        return reader

    def test_serves_what_components_count(self):
        agent = self.agent()
        reader = self.reader_with_traffic()
        reader.send()
        agent.wait_sample(RECEIVED_TEXT, 150)
        samples = agent.samples()
        self.assertEqual(samples['collector_errors_total{component="ws-reader",error_type="parse_error"}'], 0)
        self.assertEqual(samples['collector_component_up{component="ws-reader",source="gmo"}'], 1)
        self.assertEqual(samples['process_cpu_seconds_total{component="ws-reader",source="gmo"}'], 0.25)
        agent.wait_sample('collector_metric_deltas_lost_total{component="ws-reader"}', 0)
        status, headers, body = agent.request("/metrics", headers={"Accept-Encoding": "gzip"})
        self.assertEqual((status, headers["Content-Encoding"]), (200, "gzip"))
        self.assertEqual(headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        self.assertIn(RECEIVED_TEXT, gzip.decompress(body).decode())

    def test_paths_and_methods(self):
        agent = self.agent()
        self.assertEqual(agent.request("/")[0], 404)
        self.assertEqual(agent.request("/metrics/x")[0], 404)
        self.assertEqual(agent.request("/../etc/passwd")[0], 404)
        self.assertEqual(agent.request("/metrics", "POST")[0], 405)
        self.assertEqual(agent.request("/metrics", "DELETE")[1]["Allow"], "GET, HEAD")
        status, headers, body = agent.request("/metrics", "HEAD")
        self.assertEqual((status, body), (200, b""))
        self.assertGreater(int(headers["Content-Length"]), 0)

    def test_health_follows_the_components(self):
        agent = self.agent(component_timeout="1s")
        self.assertEqual(agent.request("/healthz")[::2], (503, b"no component has reported yet\n"))
        reader = self.reader_with_traffic()
        reader.send()
        wait_for(lambda: agent.request("/healthz")[::2] == (200, b"ok\n"), "healthy")
        reader.set("gauges", "collector_connection_up", ["gmo"], 0.0)
        reader.send()
        wait_for(lambda: b"exchange gmo disconnected" in agent.request("/healthz")[2], "disconnected")
        wait_for(lambda: b"component ws-reader gmo silent since" in agent.request("/healthz")[2], "silent")
        samples = agent.samples()
        self.assertEqual(samples['collector_component_up{component="ws-reader",source="gmo"}'], 0)
        self.assertNotIn('collector_connection_up{exchange="gmo"}', samples)
        self.assertEqual(samples[RECEIVED_TEXT], 150)
        self.assertIn("component silent", agent.messages())

    def test_health_names_each_feed_that_is_not_well_and_since_when(self):
        agent = self.agent()
        reader = self.reader_with_traffic()
        reader.send()
        wait_for(lambda: agent.request("/healthz")[::2] == (200, b"ok\n"), "healthy while the feed is live")
        for number, state in ((3, "stale"), (4, "gap"), (5, "down")):
            reader.set("gauges", "collector_feed_state", RECEIVED[1], float(number))
            reader.send()
            answer = f"gmo ticker BTC_JPY {state} since 2025-11-25T10:00:00Z\n".encode()
            wait_for(lambda a=answer: agent.request("/healthz")[::2] == (503, a), answer)
            series = 'collector_feed_state{exchange="gmo",channel="ticker",symbol="BTC_JPY",state="%s"}'
            agent.wait_sample(series % state, 1)
            self.assertEqual(agent.samples()[series % "live"], 0)
        reader.set("gauges", "collector_feed_state", RECEIVED[1], 2.0)
        reader.send()
        wait_for(lambda: agent.request("/healthz")[::2] == (200, b"ok\n"), "quiet is healthy")

    def test_window_log_has_the_contracts_form_and_adds_up(self):
        agent = self.agent()
        reader = self.reader_with_traffic()
        publisher = self.component("md-publisher", "main")
        for turn in range(1, 31):
            reader.add(*RECEIVED, turn)
            publisher.add("collector_messages_published_total", ["gmo", "md:ticker", "BTC_JPY"], turn)
            publisher.add("collector_errors_total", ["md-publisher", "publish_error"], 1)
            bounds = [0] * BOUNDS
            bounds[3] = turn  # up to 1 ms
            publisher.set("histograms", "collector_publish_latency_seconds", ["gmo", "md:ticker"],
                          (turn, turn * 1e6, bounds, [[self.one_ms_bucket(), turn]]))
            reader.send(full=turn % 5 == 1)
            publisher.send(full=turn % 5 == 1)
            time.sleep(0.1)  # traffic over three windows
        self.assertEqual(agent.stop(), 0)
        windows = agent.windows("gmo")
        self.assertGreaterEqual(len(windows), 3)
        self.assertEqual(sum(w["received"]["ticker:BTC_JPY"] for w in windows), 150 + 465)
        self.assertEqual(sum(w["published"].get("md:ticker:BTC_JPY", 0) for w in windows), 465)
        self.assertEqual(sum(w["errors"]["api_error"] for w in windows), 1)
        self.assertEqual(sum(w["errors"]["publish_error"] for w in windows), 30)
        self.assertEqual(windows[0]["buffer"], {"unconfirmed_events": 7, "spool_bytes": 0})
        self.assertTrue(all(w["window_seconds"] < 5 for w in windows))
        self.assertTrue(any(w["window_seconds"] > 0.5 for w in windows))
        latency = next(w["latency_ms"] for w in windows if w["latency_ms"])["md:ticker"]
        self.assertEqual(sorted(latency), ["p50", "p95", "p99"])
        self.assertLess(abs(latency["p99"] - 1.0), 0.02)
        line = next(line for line in agent.lines if line["msg"] == "metrics")
        self.assertEqual(list(line), ["level", "time", "pid", "hostname", "name", "msg", "exchange", "metrics"])
        self.assertEqual(list(line["metrics"]), ["received", "published", "errors", "reconnects", "latency_ms",
                                                 "message_bytes", "buffer", "window_seconds"])

    @staticmethod
    def one_ms_bucket():
        nanos, octave = 1_000_000, (1_000_000).bit_length() - 1
        return ((octave - 6 + 1) << 6) + ((nanos >> (octave - 6)) & 63)

    def test_lost_messages_heal_and_are_counted(self):
        agent = self.agent()
        reader = self.component()
        reader.add(*RECEIVED, 1)
        reader.send()
        for _ in range(5):
            reader.add(*RECEIVED, 10)
            reader.message(full=False)  # never sent
        reader.send(full=False)
        agent.wait_sample(RECEIVED_TEXT, 51)
        agent.wait_sample('collector_metric_deltas_lost_total{component="ws-reader"}', 5)

    def test_counters_survive_a_restarted_component(self):
        agent = self.agent()
        reader = self.component()
        reader.add(*RECEIVED, 100)
        reader.send()
        agent.wait_sample(RECEIVED_TEXT, 100)
        reader.restart()
        reader.add(*RECEIVED, 5)
        reader.send()
        agent.wait_sample(RECEIVED_TEXT, 105)

    def test_windows_add_up_across_a_killed_agent(self):
        first = self.agent()
        reader = self.component()
        reader.add(*RECEIVED, 100)
        reader.send()
        wait_for(lambda: sum(w["received"]["ticker:BTC_JPY"] for w in first.windows("gmo")) == 100, "first window")
        wait_for(lambda: os.path.exists(os.path.join(self.folder, "metrics-agent.state")), "the state file")
        # Another window, so that the state of the logged one is surely on disk.
        logged = len(first.windows("gmo"))
        wait_for(lambda: len(first.windows("gmo")) > logged, "another window")
        first.kill()
        reader.add(*RECEIVED, 11)
        second = self.agent()
        reader.subscribed()
        reader.send()
        second.wait_sample(RECEIVED_TEXT, 111)
        self.assertEqual(second.stop(), 0)
        counted = [w["received"]["ticker:BTC_JPY"] for agent in (first, second) for w in agent.windows("gmo")]
        self.assertEqual(sum(counted), 111)

    def test_a_corrupt_state_file_is_set_aside(self):
        path = os.path.join(self.folder, "metrics-agent.state")
        with open(path, "wb") as file:
            file.write(b"mdpipe-window-state 1\nnonsense")
        agent = self.agent()
        self.assertTrue(any(name.startswith("metrics-agent.state.corrupt-") for name in os.listdir(self.folder)))
        self.assertEqual(agent.stop(), 0)
        self.assertTrue(any("set aside" in message for message in agent.messages()))

    def test_goes_on_without_a_writable_state_folder(self):
        agent = self.agent(state_dir="/proc/nowhere")
        self.assertEqual(agent.request("/metrics")[0], 200)
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(sum("cannot save the window state" in message for message in agent.messages()), 1)

    def test_hostile_messages_change_nothing(self):
        agent = self.agent()
        reader = self.component()
        for junk in (b"", b"\xc1", b"\xdd\xff\xff\xff\xff", b"\x81\xa1v\x63", os.urandom(300)):
            reader.socket.send(junk)
        reader.add(*RECEIVED, 3)
        reader.add("collector_of_the_future_total", ["a"], 3)
        reader.set("gauges", "collector_connection_up", ["\udcff\udcfe"], 1.0)
        reader.send()
        agent.wait_sample(RECEIVED_TEXT, 3)
        agent.wait_sample('collector_errors_total{component="metrics-agent",error_type="link_error"}', 5)
        agent.wait_sample('collector_metric_series_dropped_total{component="ws-reader"}', 2)
        self.assertFalse(any("future" in name for name in agent.samples()))

    def test_a_taken_port_is_refused_in_one_sentence(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            run = subprocess.run([BINARY, f"--runtime-dir={self.folder}", "--state-dir=", f"--metrics-port={port}"],
                                 capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(run.returncode, 69)
        self.assertEqual(len(run.stderr.splitlines()), 1)
        for part in ("127.0.0.1", str(port), "--metrics-port", "in use"):
            self.assertIn(part, run.stderr)

    def test_a_second_instance_is_refused(self):
        self.agent()
        run = subprocess.run([BINARY, f"--runtime-dir={self.folder}", "--state-dir=", "--metrics-port=0"],
                             capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(run.returncode, 69)
        self.assertIn("another instance", run.stderr)

    def test_wrong_options(self):
        for argument, code in (("--metrics-interval-seconds=0", 64), ("--metrics-bind-address=here", 78),
                               ("--metrics-names=mine", 64), ("--no-such", 64)):
            run = subprocess.run([BINARY, argument], capture_output=True, text=True, timeout=20, check=False)
            self.assertEqual(run.returncode, code, run.stderr)
            self.assertEqual(len(run.stderr.splitlines()), 1)

    def test_the_manual_has_every_option_and_metric(self):
        with open(os.path.join(ROOT, "docs/man/metrics-agent.1"), encoding="utf-8") as file:
            manual = file.read().replace("\\-", "-")
        usage = subprocess.run([BINARY, "--help"], capture_output=True, text=True, timeout=20, check=True).stdout
        with open(os.path.join(ROOT, "libshared/metrics/catalogue.hpp"), encoding="utf-8") as file:
            metrics = re.findall(r'"((?:collector|process)_[a-z_]+)"', file.read())
        words = re.findall(r"^  (--[a-z-]+)", usage, re.MULTILINE) + re.findall(r"env ([A-Z_]+)", usage) + metrics
        self.assertGreater(len(words), 50)
        self.assertEqual([word for word in words if word not in manual], [])

    def test_metrics_off_serves_health_only(self):
        agent = self.agent(enable_metrics="false")
        self.assertEqual(agent.request("/healthz")[::2], (200, b"ok\n"))
        self.assertEqual(agent.request("/metrics")[0], 404)
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(sum("metrics are off" in message for message in agent.messages()), 1)
        self.assertNotIn("metrics", agent.messages())

    def test_sighup_is_accepted(self):
        agent = self.agent()
        agent.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "configuration read again" in agent.messages(), "the line about it")
        self.assertEqual(agent.request("/metrics")[0], 200)

    def test_prometheus_off_still_logs_windows(self):
        agent = self.agent(enable_prometheus_metrics="false")
        reader = self.reader_with_traffic()
        reader.send()
        wait_for(lambda: agent.windows("gmo"), "a window")
        self.assertEqual(agent.stop(), 0)

    def test_the_ws_names(self):
        agent = self.agent(metrics_names="ws")
        reader = self.reader_with_traffic()
        reader.add("collector_messages_published_total", ["gmo", "md:ticker", "BTC_JPY"], 149)
        reader.send()
        agent.wait_sample('ws_events_received_total{exchange="gmo",type="ticker",symbol="BTC_JPY"}', 150)
        samples = agent.samples()
        self.assertEqual(samples['ws_events_published_total{exchange="gmo",type="ticker",symbol="BTC_JPY"}'], 149)
        self.assertEqual(samples["redis_publish_errors_total"], 0)

    def test_tells_systemd_and_stops_soon_with_an_idle_client(self):
        path = os.path.join(self.folder, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            notify.settimeout(20)
            os.environ["NOTIFY_SOCKET"] = path
            os.environ["WATCHDOG_USEC"] = "200000"
            self.addCleanup(os.environ.pop, "NOTIFY_SOCKET")
            self.addCleanup(os.environ.pop, "WATCHDOG_USEC")
            agent = self.agent()
            got = ""
            while not ("READY=1" in got and "WATCHDOG=1" in got and "STATUS=0 components up" in got):
                got += notify.recv(4096).decode() + "\n"
            with socket.create_connection(("127.0.0.1", agent.port)):
                begin = time.monotonic()
                self.assertEqual(agent.stop(), 0)
                self.assertLess(time.monotonic() - begin, 5)

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_promtool_finds_nothing(self):
        agent = self.agent()
        reader = self.reader_with_traffic()
        reader.set("histograms", "collector_publish_latency_seconds", ["gmo", "md:ticker"],
                   (1, 1e6, [0, 0, 0, 1] + [0] * 12, [[self.one_ms_bucket(), 1]]))
        reader.send()
        agent.wait_sample(RECEIVED_TEXT, 150)
        text = agent.request("/metrics")[2]
        run = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=20, check=False)
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, b"", b""))

    @unittest.skipUnless(shutil.which("prometheus"), "prometheus is not installed")
    def test_a_real_prometheus_scrapes_it(self):
        agent = self.agent(component_timeout="60s")
        reader = self.reader_with_traffic()
        reader.send()
        agent.wait_sample(RECEIVED_TEXT, 150)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        config = os.path.join(self.folder, "prometheus.yml")
        with open(config, "w", encoding="ascii") as file:
            file.write("scrape_configs:\n- job_name: mdpipe\n  scrape_interval: 1s\n  static_configs:\n"
                       f"  - targets: ['127.0.0.1:{agent.port}']\n")
        with open(os.path.join(self.folder, "prometheus.log"), "wb") as log:
            prometheus = subprocess.Popen(
                ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder}/data",
                 f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
        try:
            query = urllib.parse.urlencode({"query": RECEIVED_TEXT})
            value = wait_for(lambda: self.prometheus_value(port, query), "a value in Prometheus", 60)
            self.assertEqual(value, "150")
        finally:
            prometheus.terminate()
            prometheus.wait(30)

    @staticmethod
    def prometheus_value(port, query):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?{query}", timeout=5) as response:
                result = json.load(response)["data"]["result"]
        except OSError:
            return None  # not up yet
        return result[0]["value"][1] if result else None


if __name__ == "__main__":
    unittest.main(verbosity=2)
