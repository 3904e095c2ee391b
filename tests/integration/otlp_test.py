#!/usr/bin/python3
"""metrics-agent sends to an OpenTelemetry receiver that decodes with the published definitions. MDPIPE_BIN_DIR names the
folder of the binary; the receiver's packages are installed beside it."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from metrics_agent_support import Agent, BOUNDS, Component, wait_for  # noqa: E402
from otlp_receiver import install, key_of, OtlpReceiver, value_of  # noqa: E402

BUILD = os.environ.get("MDPIPE_BIN_DIR", "build")
BINARY = os.path.join(BUILD, "metrics-agent")
PACKAGES = os.path.abspath(os.path.join(BUILD, "otlp_receiver"))
RECEIVED = ("collector_messages_received_total", ["gmo", "ticker", "BTC_JPY"])
RECEIVED_TEXT = 'collector_messages_received_total{exchange="gmo",channel="ticker",symbol="BTC_JPY"}'
LATENCY = ("collector_publish_latency_seconds", ["gmo", "md:ticker"])
FORWARD_ERRORS = 'collector_forward_errors_total{destination="otlp",reason="%s"}'
DROPPED = 'collector_forward_dropped_points_total{destination="otlp",reason="%s"}'
AFTER_OUTAGE = 90.0  # seconds; the agent waits a minute at most before it tries again


def bucket_of(nanos):
    octave = nanos.bit_length() - 1
    return ((octave - 6 + 1) << 6) + ((nanos >> (octave - 6)) & 63)


class OtlpTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mdpipe-otlp-")
        self.agents, self.components, self.receivers = [], [], []

    def tearDown(self):
        for component in self.components:
            component.close()
        for agent in self.agents:
            if agent.process.poll() is None:
                agent.kill()
        for receiver in self.receivers:
            receiver.stop()
        shutil.rmtree(self.folder)

    def receiver(self, *arguments):
        self.receivers.append(OtlpReceiver(PACKAGES, *arguments))
        return self.receivers[-1]

    def agent(self, receiver, **options):
        settings = {"otlp_endpoint": f"http://127.0.0.1:{receiver.port}", "otlp_interval_seconds": 1, **options}
        self.agents.append(Agent(BINARY, self.folder, **settings))
        return self.agents[-1]

    def component(self, name="ws-reader", source="gmo"):
        self.components.append(Component(f"ipc://{self.folder}/metrics", name, source))
        self.components[-1].subscribed()
        return self.components[-1]

    def reader_that_counted(self, count):
        reader = self.component()
        self.count(reader, count)
        return reader

    @staticmethod
    def count(reader, count):
        reader.add(*RECEIVED, count)
        reader.send()

    def test_is_sent_with_the_first_window_once_an_interval_and_at_the_end(self):
        receiver = self.receiver()
        agent = self.agent(receiver, otlp_interval_seconds=3600)
        wait_for(lambda: receiver.requests, "the first window")
        self.reader_that_counted(5)
        wait_for(lambda: len(agent.windows("gmo")) >= 2, "more windows")
        self.assertEqual(len(receiver.requests), 1)
        agent.stop()
        self.wait_last(receiver, 5)

    def wait_last(self, receiver, value, series=RECEIVED_TEXT):
        wait_for(lambda: receiver.last().get(series) == value, f"{series} {value}", AFTER_OUTAGE)

    def wait_sum(self, receiver, value):
        wait_for(lambda: receiver.sums().get(RECEIVED_TEXT) == value, f"a sum of {value}", AFTER_OUTAGE)

    def wait_answered(self, receiver, count):
        wait_for(lambda: len(receiver.requests) >= count, f"{count} requests")

    def wait_own(self, agent, series):
        """A counter of the agent's own is not 0 any more; returns it."""
        return wait_for(lambda: agent.samples().get(series), series)

    def expect_touching(self, times):
        for (_, end), (start, next_end) in zip(times, times[1:]):
            self.assertEqual(start, end)
            self.assertLess(start, next_end)

    def test_totals_are_those_of_the_page_under_the_same_names(self):
        receiver = self.receiver()
        agent = self.agent(receiver, otlp_service_name="prices", otlp_resource_attributes="host.name=here,region=tokyo")
        reader = self.reader_that_counted(150)
        reader.add("collector_errors_total", ["ws-reader", "parse_error"], 0)
        reader.set("gauges", "collector_connection_up", ["gmo"], 1.0)
        reader.set("gauges", "collector_feed_state", RECEIVED[1], 1.0)
        reader.set("gauges", "process_cpu_seconds_total", ["ws-reader", "gmo"], 0.25)
        reader.send()
        self.wait_last(receiver, 150)
        self.count(reader, 50)
        self.wait_last(receiver, 200)

        # Nothing of the reader changes any more, so both show the same series and numbers; the agent's own go on counting.
        def of_reader(samples):
            return {series: value for series, value in samples.items()
                    if not any(part in series for part in ("metrics-agent", "forward", "last_seen", "collector_http_"))}

        wait_for(lambda: of_reader(receiver.last()) == of_reader(agent.samples()), "the same series as on /metrics")
        self.assertIn('collector_feed_state{exchange="gmo",channel="ticker",symbol="BTC_JPY",state="live"}', receiver.last())
        self.assertEqual(receiver.last()['collector_errors_total{component="ws-reader",error_type="parse_error"}'], 0)

        times = receiver.times(RECEIVED_TEXT)
        self.assertEqual({start for start, _ in times}, {reader.origin // 10**6 * 10**6})
        self.assertEqual(sorted(times), times)
        for request in receiver.requests:
            self.assertEqual((request["surplus"], request["invalid"]), (0, None))
            self.assertEqual((request["method"], request["path"]), ("POST", "/v1/metrics"))
            self.assertEqual(request["headers"]["content-type"], "application/x-protobuf")
        for metric, kind, data, point in receiver.points():
            self.assertEqual(kind == "sum", metric["name"].endswith("_total"))
            if kind == "sum":
                self.assertEqual((data["isMonotonic"], data["aggregationTemporality"]), (True, 2))
                self.assertLess(int(point["startTimeUnixNano"]), int(point["timeUnixNano"]))
            self.assertTrue(metric["description"])
        resource = receiver.requests[-1]["message"]["resourceMetrics"][0]["resource"]["attributes"]
        attributes = {one["key"]: one["value"]["stringValue"] for one in resource}
        instance = attributes.pop("service.instance.id")
        self.assertTrue(instance.endswith(f":{self.folder}"), instance)
        self.assertTrue(attributes.pop("service.version"))
        self.assertEqual(attributes, {"service.name": "prices", "host.name": "here", "region": "tokyo"})

    def test_increments_add_up_to_the_unit_and_their_times_touch(self):
        receiver = self.receiver()
        agent = self.agent(receiver, otlp_temporality="delta")
        reader = self.reader_that_counted(10)
        total = 10
        for more in (1, 20, 300):
            self.wait_sum(receiver, total)
            self.count(reader, more)
            total += more
        self.wait_sum(receiver, total)
        self.count(reader, 4000)
        self.assertEqual(agent.stop(), 0)  # the last window is sent too
        self.assertEqual(receiver.sums()[RECEIVED_TEXT], total + 4000)
        for _, kind, data, _ in receiver.points():
            self.assertEqual(data.get("aggregationTemporality", 1), 1, kind)
        times = receiver.times(RECEIVED_TEXT)
        self.assertGreaterEqual(len(times), 5)
        self.expect_touching(times)

    def observe(self, reader, nanos, count):
        bounds = [0] * BOUNDS
        bounds[3] = 3 * count  # up to 1 ms
        buckets = [[bucket_of(nanos), count], [bucket_of(2 * nanos), count], [bucket_of(5 * nanos), count]]
        reader.set("histograms", *LATENCY, (3 * count + 1, 8e-9 * nanos * count * 1e9, bounds, [[0, 1]] + buckets))

    def histograms(self, receiver):
        return [(kind, point) for metric, kind, _, point in receiver.points() if metric["name"] == LATENCY[0]]

    def test_exponential_histograms_hold_every_observation_where_it_was(self):
        receiver = self.receiver()
        self.agent(receiver, otlp_temporality="delta")
        reader = self.component()
        self.observe(reader, 100_000, 7)
        reader.send()
        wait_for(lambda: self.histograms(receiver), "a histogram")
        self.observe(reader, 100_000, 10)
        reader.send()
        wait_for(lambda: len(self.histograms(receiver)) == 2, "another")
        (first_kind, first), (_, second) = self.histograms(receiver)
        self.assertEqual(first_kind, "exponentialHistogram")
        self.assertEqual((int(first["count"]), int(first["zeroCount"])), (22, 1))
        self.assertEqual((int(second["count"]), int(second.get("zeroCount", 0))), (9, 0))
        self.assertAlmostEqual(first["sum"], 8 * 100e-6 * 7, 12)
        self.assertAlmostEqual(second["sum"], 8 * 100e-6 * 3, 12)
        for point, count in ((first, 7), (second, 3)):
            base = 2 ** 2 ** -point["scale"]
            offset = point["positive"]["offset"]
            filled = {offset + i: int(one) for i, one in enumerate(point["positive"]["bucketCounts"]) if int(one)}
            self.assertEqual(list(filled.values()), [count] * 3)
            for index, seconds in zip(filled, (100e-6, 200e-6, 500e-6)):
                self.assertGreater(seconds, base ** index * 0.99)
                self.assertLess(seconds, base ** (index + 1) * 1.01)

    def test_explicit_histograms_have_the_buckets_of_the_page(self):
        receiver = self.receiver()
        agent = self.agent(receiver, otlp_histograms="explicit")
        reader = self.component()
        self.observe(reader, 100_000, 7)
        reader.send()
        wait_for(lambda: self.histograms(receiver), "a histogram")
        kind, point = self.histograms(receiver)[-1]
        self.assertEqual(kind, "histogram")
        self.assertEqual(int(point["count"]), 22)
        self.assertEqual(sum(int(one) for one in point["bucketCounts"]), 22)
        cumulative = 0
        for bound, count in zip(point["explicitBounds"], point["bucketCounts"]):
            cumulative += int(count)
            series = f'{LATENCY[0]}_bucket{{exchange="gmo",stream="md:ticker",le="{bound:g}"}}'
            self.assertEqual(agent.samples()[series], cumulative)

    def test_many_series_are_cut_into_requests(self):
        receiver = self.receiver()
        self.agent(receiver, otlp_temporality="delta")
        reader = self.component()
        for i in range(5000):
            reader.add(RECEIVED[0], ["gmo", "ticker", f"S{i}"], i + 1)
        reader.send()
        wait_for(lambda: sum(value for series, value in receiver.sums().items() if series.startswith(RECEIVED[0]))
                 == 5000 * 5001 // 2, "all of them")
        sizes = [sum(1 for _ in receiver.points([request])) for request in receiver.requests]
        self.assertLessEqual(max(sizes), 2005)
        self.assertGreaterEqual(len(sizes), 3)

    def test_an_outage_costs_no_totals(self):
        receiver = self.receiver()
        agent = self.agent(receiver)
        reader = self.reader_that_counted(10)
        self.wait_last(receiver, 10)
        receiver.close_port()
        self.count(reader, 5)
        self.wait_own(agent, FORWARD_ERRORS % "connection")
        windows = len(agent.windows("gmo"))
        wait_for(lambda: len(agent.windows("gmo")) > windows + 1, "the window log goes on")
        self.count(reader, 6)
        receiver.open_port()
        self.wait_last(receiver, 21)
        self.assertEqual(sum("cannot reach the OpenTelemetry receiver" in line["msg"] and line["level"] == 40 for line in agent.lines), 1)
        wait_for(lambda: "the OpenTelemetry receiver accepts metrics again" in agent.messages(), "its end is logged")
        self.assertEqual(agent.samples()[DROPPED % "refused"], 0)

    def test_an_outage_costs_no_increments(self):
        receiver = self.receiver()
        agent = self.agent(receiver, otlp_temporality="delta")
        reader = self.reader_that_counted(10)
        self.wait_sum(receiver, 10)
        receiver.close_port()
        self.count(reader, 5)
        self.wait_own(agent, FORWARD_ERRORS % "connection")
        self.count(reader, 6)
        windows = len(agent.windows("gmo"))
        wait_for(lambda: len(agent.windows("gmo")) > windows + 1, "the window log goes on")
        receiver.open_port()
        self.wait_sum(receiver, 21)
        self.expect_touching(receiver.times(RECEIVED_TEXT))
        self.assertEqual(sum(window["received"].get("ticker:BTC_JPY", 0) for window in agent.windows("gmo")), 21)

    def test_what_fails_is_sent_again_as_it_was_and_then_with_the_next(self):
        receiver = self.receiver()
        self.agent(receiver, otlp_temporality="delta")
        reader = self.reader_that_counted(10)
        self.wait_sum(receiver, 10)
        receiver.say(answers=[{"status": 503, "headers": {"Retry-After": "1"}}] * 6)
        before = len(receiver.requests)
        self.count(reader, 5)
        self.wait_answered(receiver, before + 2)
        self.count(reader, 6)
        self.wait_sum(receiver, 21)
        bodies = [request["body"] for request in receiver.requests if request["answer"].get("status") == 503]
        self.assertEqual(len(set(bodies[:5])), 1)  # five times the same bytes
        self.assertNotEqual(bodies[5], bodies[4])  # then its counts with newer ones
        self.expect_touching(receiver.times(RECEIVED_TEXT))

    def test_retry_after_is_waited_for(self):
        receiver = self.receiver()
        agent = self.agent(receiver)
        reader = self.reader_that_counted(10)
        self.wait_last(receiver, 10)
        receiver.say(answers=[{"status": 429, "headers": {"Retry-After": "3"}}])
        self.count(reader, 5)
        self.wait_last(receiver, 15)
        refused = next(i for i, request in enumerate(receiver.requests) if request["answer"].get("status") == 429)
        waited = receiver.requests[refused + 1]["time"] - receiver.requests[refused]["time"]
        self.assertGreaterEqual(waited, 2.9)  # though windows ended meanwhile
        self.wait_own(agent, FORWARD_ERRORS % "throttled")

    def test_a_refused_request_is_not_sent_again(self):
        receiver = self.receiver()
        agent = self.agent(receiver, otlp_temporality="delta")
        reader = self.reader_that_counted(10)
        self.wait_sum(receiver, 10)
        receiver.say(usual={"status": 400, "message": "no such tenant"})
        self.count(reader, 5)
        wait_for(lambda: any(key_of(metric, point) == RECEIVED_TEXT for metric, _, _, point in receiver.points(
            [request for request in receiver.requests if request["answer"].get("status") == 400])), "5 are refused")
        receiver.say(usual={})
        self.count(reader, 6)
        self.wait_sum(receiver, 16)
        self.assertEqual(len({request["body"] for request in receiver.requests}), len(receiver.requests))
        self.wait_own(agent, DROPPED % "refused")
        line = next(line for line in agent.lines if "refused a request" in line["msg"])
        self.assertEqual((line["level"], line["status"], line["message"]), (50, 400, "no such tenant"))

    def test_partial_success_is_counted_and_logged(self):
        receiver = self.receiver()
        agent = self.agent(receiver)
        self.reader_that_counted(10)
        self.wait_last(receiver, 10)
        receiver.say(answers=[{"partial": {"rejectedDataPoints": 3, "errorMessage": "too old"}}])
        agent.wait_sample(DROPPED % "rejected", 3)
        line = next(line for line in agent.lines if "rejected points" in line["msg"])
        self.assertEqual((line["level"], line["rejected"], line["message"]), (50, 3, "too old"))
        receiver.say(answers=[{"text": "<html>", "headers": {"Content-Type": "text/html"}}])
        self.wait_own(agent, FORWARD_ERRORS % "bad_answer")
        points = sum(1 for _ in receiver.points())
        self.assertGreater(points, 3)

    def test_a_receiver_that_hangs_holds_nothing_up(self):
        receiver = self.receiver()
        agent = self.agent(receiver, otlp_timeout="500ms")
        reader = self.reader_that_counted(10)
        self.wait_last(receiver, 10)
        receiver.say(usual={"hang": True})
        self.count(reader, 5)
        self.wait_own(agent, FORWARD_ERRORS % "timeout")
        windows = len(agent.windows("gmo"))
        wait_for(lambda: len(agent.windows("gmo")) > windows + 1, "the window log goes on")
        self.assertEqual(sum(window["received"].get("ticker:BTC_JPY", 0) for window in agent.windows("gmo")), 15)
        receiver.say(usual={})
        self.wait_last(receiver, 15)

    def test_a_kill_in_an_outage_costs_no_increments(self):
        receiver = self.receiver()
        agent = self.agent(receiver, otlp_temporality="delta")
        reader = self.reader_that_counted(10)
        self.wait_sum(receiver, 10)
        windows = len(agent.windows())
        wait_for(lambda: len(agent.windows()) > windows, "the state is saved")
        receiver.close_port()
        self.count(reader, 5)
        wait_for(lambda: sum(window["received"].get("ticker:BTC_JPY", 0) for window in agent.windows("gmo")) == 15,
                 "they are in a window")
        self.wait_own(agent, FORWARD_ERRORS % "connection")
        agent.kill()
        agent = self.agent(receiver, otlp_temporality="delta")
        reader.subscribed()
        self.count(reader, 6)
        wait_for(lambda: sum(window["received"].get("ticker:BTC_JPY", 0) for window in agent.windows("gmo")) == 6,
                 "the next are in a window")
        receiver.open_port()
        self.wait_sum(receiver, 21)
        self.expect_touching(receiver.times(RECEIVED_TEXT))

    def test_totals_never_go_back(self):
        receiver = self.receiver()
        agent = self.agent(receiver)
        reader = self.reader_that_counted(10)
        self.wait_last(receiver, 10)
        reader.restart()  # without its counters, which the agent alone knows now
        self.count(reader, 4)
        self.wait_last(receiver, 14)
        self.assertEqual(agent.stop(), 0)
        self.agent(receiver)
        reader.subscribed()
        self.count(reader, 2)
        self.wait_last(receiver, 16)
        values = [value_of(point) for metric, _, _, point in receiver.points() if key_of(metric, point) == RECEIVED_TEXT]
        self.assertEqual(sorted(values), values)
        self.assertEqual(len({start for start, _ in receiver.times(RECEIVED_TEXT)}), 1)

    def test_compression_is_a_choice(self):
        sizes = {}
        for compression in ("gzip", "none"):
            receiver = self.receiver()
            agent = self.agent(receiver, otlp_compression=compression)
            self.wait_answered(receiver, 1)
            self.assertEqual(agent.stop(), 0)
            encodings = {request["headers"].get("content-encoding", "none") for request in receiver.requests}
            self.assertEqual(encodings, {compression})
            sizes[compression] = receiver.requests[0]["bytes"]
        self.assertLess(sizes["gzip"] * 2, sizes["none"])

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True, timeout=60)

    def make_certificates(self):
        """ca.pem has vouched for server.pem, other.pem has not."""
        for name in ("ca", "other"):
            self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                         "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=receiver",
                     "-keyout", "server.key", "-out", "server.csr")
        with open(os.path.join(self.folder, "extensions"), "w", encoding="ascii") as file:
            file.write("subjectAltName=IP:127.0.0.1\n")
        self.openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                     "-extfile", "extensions", "-out", "server.pem")

    def test_tls_is_verified(self):
        self.make_certificates()
        receiver = self.receiver(os.path.join(self.folder, "server.pem"), os.path.join(self.folder, "server.key"))
        url = f"https://127.0.0.1:{receiver.port}"
        agent = self.agent(receiver, otlp_endpoint=url, otlp_ca_file=os.path.join(self.folder, "other.pem"))
        self.wait_own(agent, FORWARD_ERRORS % "connection")
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(receiver.requests, [])
        self.agent(receiver, otlp_endpoint=url, otlp_ca_file=os.path.join(self.folder, "ca.pem"))
        self.wait_answered(receiver, 1)

    def test_headers_arrive_and_are_told_nobody(self):
        headers = os.path.join(self.folder, "headers")
        with open(headers, "w", encoding="ascii") as file:
            file.write("# of the backend\nApi-Key: s3cret-key\nX-Tenant: prices\n")
        receiver = self.receiver()
        receiver.say(answers=[{"status": 401}])
        agent = self.agent(receiver, otlp_headers_file=headers, log_level="trace")
        self.wait_answered(receiver, 2)
        sent = receiver.requests[0]["headers"]
        self.assertEqual((sent["api-key"], sent["x-tenant"]), ("s3cret-key", "prices"))
        with open(f"/proc/{agent.process.pid}/cmdline", encoding="utf-8") as file:
            self.assertNotIn("s3cret", file.read())
        self.assertNotIn("s3cret", agent.request("/metrics")[2].decode())
        self.assertEqual(agent.stop(), 0)
        self.assertNotIn("s3cret", str(agent.lines))
        shown = subprocess.run([BINARY, f"--otlp-headers-file={headers}", "--otlp-endpoint=http://user:s3cret@h",
                                "--check-config"], capture_output=True, text=True, timeout=20, check=True)
        self.assertNotIn("s3cret", shown.stdout + shown.stderr)

    def test_what_cannot_work_is_refused_in_one_sentence(self):
        headers = os.path.join(self.folder, "headers")
        with open(headers, "w", encoding="ascii") as file:
            file.write("s3cret\n")
        for options in (["--otlp-endpoint=collector:4318"],
                        ["--otlp-endpoint=http://h", "--otlp-temporality=delta", "--state-dir="],
                        ["--otlp-endpoint=http://h", f"--otlp-headers-file={headers}"],
                        ["--otlp-endpoint=http://h", "--otlp-headers-file=/none"],
                        ["--otlp-endpoint=https://h", "--otlp-ca-file=/none"],
                        ["--otlp-endpoint=http://h", "--otlp-resource-attributes=region"]):
            run = subprocess.run([BINARY, "--check-config", *options], capture_output=True, text=True, timeout=20, check=False)
            self.assertEqual(run.returncode, 78, (options, run.stderr))
            self.assertEqual(len(run.stderr.splitlines()), 1, run.stderr)
            self.assertIn(options[-1].split("=")[0], run.stderr)
            self.assertNotIn("s3cret", run.stderr)


if __name__ == "__main__":
    install(PACKAGES)
    unittest.main(verbosity=2)
