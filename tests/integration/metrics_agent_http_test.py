#!/usr/bin/python3
"""The HTTP endpoint of metrics-agent: both formats read by parsers that are not ours, a real Prometheus through TLS and a
password, and clients that stall. MDPIPE_BIN_DIR names the folder of the binary."""

import base64
import contextlib
import gzip
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
import urllib.request
from unittest import mock

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open_metrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from metrics_agent_support import Agent, BOUNDS, Component, wait_for  # noqa: E402

BINARY = os.path.join(os.environ.get("MDPIPE_BIN_DIR", "build"), "metrics-agent")
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
ASK_OPEN_METRICS = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}
# What the agent itself counts moves between two pages.
MOVING = re.compile(r"process_|collector_http_|collector_component_last_seen")


def samples_of(families):
    """{(name, labels): value} of what a parser found; an upper bound as a number, since the formats write it differently."""
    found = {}
    for family in families:
        for sample in family.samples:
            labels = {name: float(value) if name == "le" else value for name, value in sample.labels.items()}
            key = (sample.name, tuple(sorted(labels.items())))
            assert key not in found, key
            found[key] = sample.value
    return found


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def is_told_to_wait(client):
    """Whether a client that reads nothing was answered that the agent is busy, which fits into its socket."""
    with contextlib.suppress(OSError):  # nothing has come yet, or the connection was reset
        return client.recv(12, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b"HTTP/1.1 503"
    return False


class HttpTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mdpipe-http-")
        self.addCleanup(shutil.rmtree, self.folder)

    def agent(self, **options):
        agent = Agent(BINARY, self.folder, component_timeout="600s", **options)
        self.addCleanup(lambda: agent.process.poll() is None and agent.kill())
        return agent

    def component(self, name="ws-reader", source="gmo"):
        component = Component(f"ipc://{self.folder}/metrics", name, source)
        self.addCleanup(component.close)
        component.subscribed()
        return component

    def traffic(self, agent, symbols=20):
        """Every kind of metric, labels that must be escaped, numbers with and without fractions."""
        reader, publisher = self.component(), self.component("md-publisher", "main")
        for number in range(symbols):
            feed = ["gmo", "ticker", f"S{number:04}_JPY"]
            reader.add("collector_messages_received_total", feed, 3_000_000_000 + number)
            reader.add("collector_received_bytes_total", feed, 2**52 + number)
            reader.set("gauges", "collector_last_message_timestamp_seconds", feed, 1764064800.123456 + number)
            reader.set("gauges", "collector_feed_state", feed, float(number % 6))
            publisher.add("collector_messages_published_total", ["gmo", "md:ticker", feed[2]], number)
            publisher.add("collector_messages_published_total", ["gmo", "copy:ticker", feed[2]], number)
        reader.add("collector_messages_received_total", ["gmo", "ticker", 'odd " \\ é'], 7)
        for error_type in ("parse_error", "publish_error"):
            publisher.add("collector_errors_total", ["md-publisher", error_type], 4)
        reader.set("gauges", "collector_build_info", ["ws-reader", "1.0", "abc"], 1.0)
        reader.set("gauges", "process_cpu_seconds_total", ["ws-reader", "gmo"], 0.25)
        bounds = [0, 1, 0, 2] + [0] * (BOUNDS - 4)
        publisher.set("histograms", "collector_publish_latency_seconds", ["gmo", "md:ticker"], (3, 2.15e6, bounds, [[700, 3]]))
        reader.send()
        publisher.send()
        for series in ('component="md-publisher",source="main"', 'component="ws-reader",source="gmo"'):
            agent.wait_sample("collector_component_up{%s}" % series, 1)
        agent.wait_sample('collector_metric_deltas_lost_total{component="md-publisher"}', 0)
        return reader

    def certificate(self, name="cert", days=2):
        """(certificate, key) of localhost, signed by itself"""
        files = [os.path.join(self.folder, f"{name}{number}.pem") for number in (1, 2)]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", str(days),
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-out", files[0], "-keyout", files[1]], check=True, capture_output=True, timeout=30)
        return files

    def passwords(self, **users):
        path = os.path.join(self.folder, "passwords")
        with open(path, "w", encoding="ascii") as file:
            for user, password in users.items():
                made = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password, text=True, capture_output=True, check=True)
                file.write(f"{user}:{made.stdout.strip()}\n")
        return path

    def refused(self, *arguments):
        """What the program says as it refuses to start."""
        run = subprocess.run([BINARY, f"--runtime-dir={self.folder}", "--state-dir=", "--metrics-port=0", *arguments],
                             capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(run.returncode, 78, run.stdout + run.stderr)
        self.assertEqual(len(run.stderr.splitlines()), 1)
        return run.stderr

    # --- formats

    def both_formats(self, agent):
        """(samples of the text, samples of OpenMetrics), without what moves"""
        pages = []
        for accept, content_type, parse in (({}, TEXT, parse_text), (ASK_OPEN_METRICS, OPEN_METRICS, parse_open_metrics)):
            status, headers, body = agent.request("/metrics", headers=accept)
            self.assertEqual((status, headers["Content-Type"]), (200, content_type))
            found = samples_of(parse(body.decode()))
            pages.append({key: value for key, value in found.items() if not MOVING.match(key[0])})
        return pages

    def assert_same_samples(self, agent):
        text, open_metrics = self.both_formats(agent)
        self.assertEqual(sorted(text), sorted(open_metrics))
        for key, value in text.items():
            if float(value).is_integer():
                self.assertEqual(value, open_metrics[key], key)
            else:  # prometheus-cpp writes 16 digits
                self.assertAlmostEqual(value / open_metrics[key], 1, 14, key)
        return open_metrics

    def test_both_formats_hold_the_same_samples(self):
        agent = self.agent()
        self.traffic(agent)
        found = self.assert_same_samples(agent)
        self.assertEqual(found["collector_received_bytes_total", (("channel", "ticker"), ("exchange", "gmo"), ("symbol", "S0019_JPY"))], 2**52 + 19)
        self.assertEqual(found["collector_messages_received_total", (("channel", "ticker"), ("exchange", "gmo"), ("symbol", 'odd " \\ é'))], 7)
        self.assertEqual(found["collector_publish_latency_seconds_bucket", (("exchange", "gmo"), ("le", 0.001), ("stream", "md:ticker"))], 3)

    def test_both_formats_hold_the_same_samples_under_the_ws_names(self):
        agent = self.agent(metrics_names="ws")
        reader = Component(agent.endpoint, "ws-reader", "gmo")
        self.addCleanup(reader.close)
        reader.subscribed()
        reader.add("collector_messages_received_total", ["gmo", "ticker", "BTC_JPY"], 5)
        reader.add("collector_errors_total", ["ws-reader", "publish_error"], 4)
        reader.set("gauges", "collector_last_message_timestamp_seconds", ["gmo", "ticker", "BTC_JPY"], 1764064800.5)
        bounds = [0, 1, 0, 2] + [0] * (BOUNDS - 4)
        reader.set("histograms", "collector_publish_latency_seconds", ["gmo", "md:ticker"], (3, 2.15e6, bounds, [[700, 3]]))
        reader.send()
        agent.wait_sample('ws_events_received_total{exchange="gmo",type="ticker",symbol="BTC_JPY"}', 5)
        found = self.assert_same_samples(agent)
        self.assertEqual(found["redis_publish_errors_total", ()], 4)
        self.assertEqual(found["redis_publish_latency_ms_bucket", (("exchange", "gmo"), ("le", 1.0), ("type", "ticker"))], 3)

    def test_open_metrics_says_kind_and_unit(self):
        agent = self.agent()
        self.traffic(agent)
        body = agent.request("/metrics", headers=ASK_OPEN_METRICS)[2].decode()
        families = {family.name: family for family in parse_open_metrics(body)}
        kinds = {name: (family.type, family.unit) for name, family in families.items()}
        self.assertEqual(kinds["collector_messages_received"], ("counter", ""))
        self.assertEqual(kinds["collector_received_bytes"], ("counter", "bytes"))
        self.assertEqual(kinds["process_cpu_seconds"], ("counter", "seconds"))
        self.assertEqual(kinds["collector_publish_latency_seconds"], ("histogram", "seconds"))
        self.assertEqual(kinds["process_resident_memory_bytes"], ("gauge", "bytes"))
        self.assertEqual(kinds["collector_build"], ("info", ""))
        self.assertTrue(all(family.documentation for family in families.values()))
        self.assertTrue(body.endswith("# EOF\n"))

    def test_what_a_client_accepts_it_is_given(self):
        agent = self.agent()
        self.traffic(agent)
        for accept, expected in (("*/*", TEXT), ("text/plain", TEXT), ("text/html,*/*;q=0.1", TEXT),
                                 ("application/openmetrics-text", OPEN_METRICS),
                                 ("application/openmetrics-text;version=0.0.1", OPEN_METRICS.replace("1.0.0", "0.0.1")),
                                 ("application/openmetrics-text;q=0.2,text/plain;q=0.3", TEXT)):
            for encoding in ("", "gzip"):
                _, headers, body = agent.request("/metrics", headers={"Accept": accept, "Accept-Encoding": encoding})
                self.assertEqual((headers["Content-Type"], headers["Content-Encoding"] or ""), (expected, encoding), accept)
                text = gzip.decompress(body) if encoding else body
                self.assertEqual(text.endswith(b"# EOF\n"), "openmetrics" in expected)

    # --- real clients

    @contextlib.contextmanager
    def prometheus(self, target):
        """A Prometheus that scrapes `target`, a dictionary of its configuration; yields a query function."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        config = os.path.join(self.folder, "prometheus.yml")
        with open(config, "w", encoding="ascii") as file:
            json.dump({"scrape_configs": [{"job_name": "mdpipe", "scrape_interval": "1s", **target}]}, file)  # JSON is YAML
        with open(os.path.join(self.folder, "prometheus.log"), "wb") as log:
            process = subprocess.Popen(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder}/data",
                                        f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)

        def ask(path, **query):
            try:
                url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
                with urllib.request.urlopen(url, timeout=5) as response:
                    return json.load(response)["data"]
            except OSError:
                return None  # not up yet
        try:
            yield ask
        finally:
            process.terminate()
            process.wait(30)

    @unittest.skipUnless(shutil.which("prometheus"), "prometheus is not installed")
    def test_a_real_prometheus_scrapes_open_metrics_through_tls_and_a_password(self):
        certificate, key = self.certificate()
        agent = self.agent(metrics_tls_cert_file=certificate, metrics_tls_key_file=key,
                           metrics_basic_auth_file=self.passwords(scraper="s3cret"))
        reader = self.component()
        reader.add("collector_messages_received_total", ["gmo", "ticker", "BTC_JPY"], 150)
        reader.set("gauges", "collector_build_info", ["ws-reader", "1.0", "abc"], 1.0)
        reader.send()
        target = {"scheme": "https", "tls_config": {"ca_file": certificate, "server_name": "localhost"},
                  "basic_auth": {"username": "scraper", "password": "s3cret"},
                  "static_configs": [{"targets": [f"127.0.0.1:{agent.port}"]}]}
        with self.prometheus(target) as ask:
            def value(query):
                data = ask("query", query=query)
                return data and data["result"] and data["result"][0]["value"][1]
            wait_for(lambda: value('collector_messages_received_total{symbol="BTC_JPY"}') == "150", "the value in Prometheus", 60)
            self.assertEqual(value('collector_build_info{component="ws-reader",version="1.0"}'), "1")
            # Only OpenMetrics has families named so, with a unit.
            metadata = wait_for(lambda: ask("targets/metadata", metric="process_cpu_seconds"), "its metadata", 60)
            self.assertEqual((metadata[0]["type"], metadata[0]["unit"]), ("counter", "seconds"))
            wait_for(lambda: value('collector_http_requests_total{path="/metrics",code="200"}'), "the agent's own count", 60)

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_promtool_finds_nothing(self):
        agent = self.agent()
        self.traffic(agent)
        text = agent.request("/metrics")[2]
        run = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=20, check=False)
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, b"", b""))

    # --- passwords

    def test_only_a_user_of_the_file_reads_metrics(self):
        agent = self.agent(metrics_basic_auth_file=self.passwords(scraper="s3cret", other="else"))
        for headers in ({}, basic("scraper", "wrong"), basic("nobody", "s3cret"), basic("other", "s3cret"), {"Authorization": "Bearer s3cret"}):
            status, answered, body = agent.request("/metrics", headers=headers)
            self.assertEqual(status, 401, headers)
            self.assertTrue(answered["WWW-Authenticate"].startswith("Basic realm="))
            self.assertNotIn(b"collector_", body)
        for headers in (basic("scraper", "s3cret"), basic("other", "else"), basic("scraper", "s3cret")):
            self.assertEqual(agent.request("/metrics", headers=headers)[0], 200)
        self.assertEqual(agent.request("/healthz")[0], 503)  # asks for none: no component has reported
        self.assertEqual(agent.stop(), 0)
        self.assertNotIn("s3cret", json.dumps(agent.lines))

    def test_requests_are_counted_by_path_and_code(self):
        agent = self.agent(metrics_basic_auth_file=self.passwords(scraper="s3cret"))
        agent.request("/metrics")
        agent.request("/nowhere")
        agent.request("/metrics", "POST")

        def counted():
            page = agent.request("/metrics", headers=basic("scraper", "s3cret"))[2].decode()
            counts = {tuple(label[1] for label in labels): value for (name, labels), value in samples_of(parse_text(page)).items()
                      if name == "collector_http_requests_total"}
            return [counts.get(key) for key in (("401", "/metrics"), ("404", "other"), ("405", "/metrics"))] == [1, 1, 1]
        wait_for(counted, "the three requests in the counts")

    def test_passwords_are_read_again_on_sighup(self):
        agent = self.agent(metrics_basic_auth_file=self.passwords(scraper="before"))
        self.assertEqual(agent.request("/metrics", headers=basic("scraper", "before"))[0], 200)
        self.passwords(scraper="after")
        agent.process.send_signal(signal.SIGHUP)
        wait_for(lambda: agent.request("/metrics", headers=basic("scraper", "after"))[0] == 200, "the new password")
        self.assertEqual(agent.request("/metrics", headers=basic("scraper", "before"))[0], 401)
        with open(os.path.join(self.folder, "passwords"), "w", encoding="ascii") as file:
            file.write("scraper:plain\n")
        agent.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "the new configuration is refused; the old one stays" in agent.messages(), "the error in the log")
        self.assertEqual(agent.request("/metrics", headers=basic("scraper", "after"))[0], 200)
        self.assertNotIn("plain", json.dumps(agent.lines))

    def test_bad_files_are_refused_at_the_start(self):
        certificate, key = self.certificate()
        other = self.certificate("other")[1]
        passwords = os.path.join(self.folder, "bad-passwords")
        with open(passwords, "w", encoding="ascii") as file:
            file.write("scraper:s3cret\n")
        said = self.refused(f"--metrics-basic-auth-file={passwords}")
        self.assertIn("--metrics-basic-auth-file", said)
        self.assertIn("openssl passwd -6", said)
        self.assertNotIn("s3cret", said)
        self.assertIn("No such file", self.refused("--metrics-basic-auth-file=/nowhere"))
        self.assertIn("belong together", self.refused(f"--metrics-tls-cert-file={certificate}"))
        self.assertIn("--metrics-tls-key-file", self.refused(f"--metrics-tls-cert-file={certificate}", f"--metrics-tls-key-file={other}"))
        self.assertIn("--metrics-tls-cert-file", self.refused(f"--metrics-tls-cert-file={passwords}", f"--metrics-tls-key-file={key}"))

    def test_a_warning_where_everybody_may_read(self):
        def warnings():
            return sum("without a password" in message for message in agent.messages())

        agent = self.agent(metrics_bind_address="0.0.0.0")
        wait_for(lambda: warnings() == 1, "the warning, which follows the line with the port")
        agent.stop()
        agent = self.agent(metrics_bind_address="0.0.0.0", metrics_basic_auth_file=self.passwords(scraper="s3cret"))
        agent.stop()
        self.assertEqual(warnings(), 0)

    # --- TLS

    def get_through_tls(self, agent, context):
        connection = http.client.HTTPSConnection("localhost", agent.port, timeout=10, context=context)
        try:
            connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
            return gzip.decompress(connection.getresponse().read())
        finally:
            connection.close()

    def test_tls_1_2_and_later_only(self):
        certificate, key = self.certificate()
        agent = self.agent(metrics_tls_cert_file=certificate, metrics_tls_key_file=key)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.create_default_context(cafile=certificate)
            context.minimum_version = context.maximum_version = version
            self.assertIn(b"collector_build_info", self.get_through_tls(agent, context))
        old = ssl.create_default_context(cafile=certificate)
        old.set_ciphers("ALL:@SECLEVEL=0")
        with self.assertWarns(DeprecationWarning):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises(ssl.SSLError):
            self.get_through_tls(agent, old)
        # Plain HTTP gets no page.
        with self.assertRaises((http.client.HTTPException, ConnectionError)):
            agent.request("/metrics")

    def test_a_renewed_certificate_is_served_after_sighup(self):
        certificate, key = self.certificate()
        agent = self.agent(metrics_tls_cert_file=certificate, metrics_tls_key_file=key)
        self.get_through_tls(agent, ssl.create_default_context(cafile=certificate))
        self.certificate()  # in the same files
        agent.process.send_signal(signal.SIGHUP)

        def is_new():
            try:
                return self.get_through_tls(agent, ssl.create_default_context(cafile=certificate))
            except ssl.SSLError:
                return None
        wait_for(is_new, "the new certificate")

    # --- clients that stall

    def stuck(self, agent, count, bytes_sent):
        """So many connections that have sent so much and do nothing more."""
        sockets = []
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", agent.port), timeout=10)
            self.addCleanup(client.close)
            client.sendall(bytes_sent)
            sockets.append(client)
        return sockets

    def assert_answers(self, agent):
        """Before the client's deadline, which is Prometheus's; repeated if other requests keep the agent busy."""
        status, _, body = wait_for(lambda: agent.unless_busy("/metrics", {**ASK_OPEN_METRICS, "Accept-Encoding": "gzip"}), "a page")
        self.assertEqual(status, 200)
        self.assertTrue(gzip.decompress(body).endswith(b"# EOF\n"))

    def dribble(self, clients, bytes_sent):
        """They send a byte now and then, until the test ends."""
        ended = threading.Event()

        def send():
            while not ended.wait(0.2):
                for client in clients:
                    with contextlib.suppress(OSError):  # it may have been cut by now
                        client.sendall(bytes_sent)
        thread = threading.Thread(target=send)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(ended.set)

    def test_scrapes_beside_a_hundred_clients_that_stall(self):
        agent = self.agent()
        self.traffic(agent, 6000)  # a page of 6 MB, more than two sockets buffer if the client does not read (tcp_wmem: 4 MB)
        windows = len(agent.windows())
        self.stuck(agent, 40, b"")
        self.dribble(self.stuck(agent, 20, b"GET /metrics HTTP/1.1\r\nX: "), b"x")
        self.dribble(self.stuck(agent, 10, b"POST /metrics HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n"), b"x")
        deaf = self.stuck(agent, 30, b"GET /metrics HTTP/1.1\r\n\r\n")
        for client in deaf:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # and never reads
        for _ in range(3):
            self.assert_answers(agent)
        wait_for(lambda: agent.samples()["collector_http_answers_cut_total"] + sum(map(is_told_to_wait, deaf)) == 30,
                 "those that do not read are cut")
        # The loop has noticed nothing: its windows go on, each of them a second long.
        wait_for(lambda: len(agent.windows()) >= windows + 3, "windows")
        self.assertLess(max(window["window_seconds"] for window in agent.windows()[windows:]), 5)

    def test_stops_beside_clients_that_stall(self):
        agent = self.agent()
        self.stuck(agent, 40, b"")
        self.stuck(agent, 40, b"GET /metrics")
        self.assertEqual(agent.stop(), 0)

    def test_a_client_that_says_nothing_is_cut(self):
        agent = self.agent()
        silent, half = self.stuck(agent, 1, b"")[0], self.stuck(agent, 1, b"GET /metrics HTTP/1.1\r\n")[0]
        self.assertEqual(silent.recv(1), b"")
        self.assertTrue(half.recv(100).startswith(b"HTTP/1.1 400"))
        agent.wait_sample('collector_http_requests_total{path="other",code="400"}', 1)

    def test_a_client_of_tls_that_stalls_is_cut(self):
        certificate, key = self.certificate()
        agent = self.agent(metrics_tls_cert_file=certificate, metrics_tls_key_file=key)
        silent = self.stuck(agent, 70, b"") + self.stuck(agent, 30, b"\x16\x03\x01")
        self.assertIn(b"collector_build_info", self.get_through_tls(agent, ssl.create_default_context(cafile=certificate)))
        self.assertEqual(silent[0].recv(1), b"")

    def test_what_is_no_request_is_answered_so(self):
        agent = self.agent()
        for sent, status in ((b"\x16\x03\x01\x02\x00\r\n\r\n", b"400"), (b"GET / HTTP/3\r\n\r\n", b"505"),
                             (b"GET / HTTP/1.1\r\nX: " + b"y" * 9000 + b"\r\n\r\n", b"400")):
            client = self.stuck(agent, 1, sent)[0]
            answer = b""
            with contextlib.suppress(ConnectionResetError):  # it was not all read
                while more := client.recv(4096):
                    answer += more
            self.assertTrue(answer.startswith(b"HTTP/1.1 " + status), answer)
        agent.wait_sample('collector_http_requests_total{path="other",code="400"}', 2)

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to be a user with a limit of processes")
    def test_where_few_threads_may_be_started_few_serve_and_with_none_the_start_is_refused(self):
        user = 60_000 + os.getpid() % 5_000  # an unused one: other processes of the user would count too
        program = shutil.copy(BINARY, self.folder)  # a place that this user can read
        os.chown(self.folder, user, user)
        wrapper = os.path.join(self.folder, "limited")
        with open(wrapper, "w", encoding="ascii") as file:
            file.write(f'#!/bin/sh\nexec setpriv --reuid={user} --regid={user} --clear-groups prlimit --nproc="$NPROC" {program} "$@"\n')
        os.chmod(wrapper, 0o755)
        with mock.patch.dict(os.environ, NPROC="20"):
            agent = Agent(wrapper, self.folder)
        self.addCleanup(lambda: agent.process.poll() is None and agent.kill())
        warning = wait_for(lambda: [line for line in agent.lines if line["msg"].startswith("few threads serve HTTP")], "a warning")[0]
        self.assertLess(warning["threads"], 20)
        for _ in range(2 * warning["threads"]):  # each of them would get one
            self.assertEqual(self.healthy(agent), 200)
        self.assertEqual(agent.stop(), 0)
        with mock.patch.dict(os.environ, NPROC="6"):
            refused = subprocess.run([wrapper, f"--runtime-dir={self.folder}", f"--state-dir={self.folder}", "--metrics-port=0"],
                                     capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(refused.returncode, 69)
        self.assertEqual(len(refused.stderr.splitlines()), 1, refused.stderr)
        self.assertIn("TasksMax=", refused.stderr)

    @staticmethod
    def healthy(agent):
        return wait_for(lambda: agent.unless_busy("/metrics"), "a page")[0]


if __name__ == "__main__":
    unittest.main(verbosity=2)
