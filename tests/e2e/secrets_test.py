"""No secret where others can read it. Secrets are planted in all the ways that the programs take them, and the whole pipeline runs with them at
log level trace, well and badly: Redis refuses the password, the webhook and the OpenTelemetry receiver refuse and repeat what they
were sent, a client of /metrics gives a wrong password. Then logs, arguments, the files that are kept, /metrics, what --check-config
prints and what is said about secrets that are malformed are searched for them. AWS' task definitions are searched by aws_test.py."""

import base64
import http.client
import http.server
import os
import subprocess
import sys
import threading
import unittest
from pathlib import Path

import redis

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from mdpipe_stack import Stack, binary, flags, wait_for  # noqa: E402

REDIS = "planted-redis-0f3a"
WEBHOOK = "planted-webhook-9c21"
OTLP = "planted-otlp-77be"
BASIC = "planted-basic-51d0"
BASIC_WRONG = "planted-wrong-e8a4"
# As they are, and as HTTP sends user and password.
PLANTED = [REDIS, WEBHOOK, OTLP, BASIC, BASIC_WRONG] + [base64.b64encode(f"prometheus:{word}".encode()).decode().rstrip("=")
                                                        for word in (BASIC, BASIC_WRONG)]


class Refusing:
    """An HTTP server that answers 403 and repeats what it was sent, headers too; a redirection names its address."""

    def __init__(self):
        self.requests = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.requests.append(self.path + str(self.headers))
                answer = outer.requests[-1].encode()
                self.send_response(302 if len(outer.requests) % 2 else 403, f"refused {self.path}")
                self.send_header("Location", f"http://127.0.0.1:1{self.path}")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Secrets(unittest.TestCase):
    def setUp(self):
        self.stack = self.enterContext(Stack())
        self.secrets = Path(self.stack.folder) / "secrets"
        self.secrets.mkdir()

    def keep(self, name, text):
        path = self.secrets / name
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    def assert_clean(self, text, where):
        for word in PLANTED:
            if word in text:
                at = text.index(word)
                self.fail(f"{where}: ...{text[max(0, at - 200):at + len(word)]}...")

    def check_processes_and_files(self):
        for program in self.stack.programs:
            self.assert_clean("".join(program.lines + program.errors), f"log of {program.name}")
            if program.running():
                self.assert_clean(Path(f"/proc/{program.process.pid}/cmdline").read_text(), f"arguments of {program.name}")
        files = [path for path in Path(self.stack.folder).rglob("*") if path.is_file() and self.secrets not in path.parents]
        self.assertTrue(any("counters-" in path.name for path in files) and any(path.suffix == ".state" for path in files), files)
        for path in files:
            self.assert_clean(path.read_bytes().decode(errors="replace"), path.name)

    def scrape(self, password):
        connection = http.client.HTTPConnection("127.0.0.1", self.stack.metrics_port, timeout=10)
        login = base64.b64encode(f"prometheus:{password}".encode()).decode()
        connection.request("GET", "/metrics", headers={"Authorization": f"Basic {login}"})
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response.status, body

    def test_a_running_pipeline_shows_none(self):
        receiver = Refusing()
        self.addCleanup(receiver.close)
        hashed = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=BASIC, capture_output=True, text=True, check=True).stdout.strip()
        publisher_options = {"redis_password_file": self.keep("redis", "not-yet-" + REDIS)}
        agent_options = {"alert_webhook_url_file": self.keep("webhook", f"{receiver.url}/services/{WEBHOOK}\n"),
                         "alert_webhook_interval_min": "1s", "alert_for": "MdpipeRedisDown=1s",
                         "otlp_endpoint": receiver.url, "otlp_headers_file": self.keep("otlp", f"Authorization: Bearer {OTLP}\n"),
                         "metrics_basic_auth_file": self.keep("basic", f"prometheus:{hashed}\n")}
        self.stack.redis.client.config_set("requirepass", REDIS)
        self.stack.redis.client = redis.Redis(unix_socket_path=self.stack.redis.socket, password=REDIS, decode_responses=True)

        agent = self.stack.agent(log_level="trace", **agent_options)
        publisher = self.stack.publisher(log_level="trace", **publisher_options)
        _, url = self.stack.simulator("gmo", rate=100)
        self.stack.reader("gmo", symbols="BTC_JPY", channels="ticker", url=url, log_level="trace")
        wait_for(lambda: any(WEBHOOK in request for request in receiver.requests) and any(OTLP in request for request in receiver.requests),
                 "webhook and OpenTelemetry receiver were called")
        agent.wait_log("alert firing")
        self.assertTrue(any("WRONGPASS" in line for line in publisher.lines))
        self.check_processes_and_files()

        publisher.stop()
        self.keep("redis", REDIS)
        self.stack.publisher(log_level="trace", **publisher_options)
        wait_for(lambda: self.stack.redis.client.xlen("md:ticker") > 0, "events in Redis")
        self.assertEqual(401, self.scrape(BASIC_WRONG)[0])
        status, body = self.scrape(BASIC)
        self.assertEqual(200, status)
        self.assert_clean(body, "/metrics")
        self.check_processes_and_files()

        for name, options in (("md-publisher", publisher_options), ("metrics-agent", agent_options)):
            shown = subprocess.run([binary(name), *flags(options), "--check-config"], capture_output=True, text=True, check=True)
            self.assert_clean(shown.stdout + shown.stderr, f"{name} --check-config")

    def test_the_address_of_redis_is_shown_without_its_password(self):
        for url in (f"redis://user:{REDIS}@127.0.0.1:1", f"redis://:{REDIS}@127.0.0.1:1/1"):
            for how in (["--check-config"], [f"--runtime-dir={self.stack.folder}", "--no-retry", "--log-level=trace"]):
                shown = subprocess.run([binary("md-publisher"), *how], capture_output=True, text=True, check=False,
                                       env=dict(os.environ, REDIS_URL=url))
                self.assertIn("127.0.0.1:1", shown.stdout)
                self.assert_clean(shown.stdout + shown.stderr, url)

    def test_what_is_said_about_a_malformed_secret_does_not_show_it(self):
        bad = [("md-publisher", {}, f"redis://user:{REDIS}@host:port"), ("md-publisher", {}, f"http://user:{REDIS}@host"),
               ("md-publisher", {}, f"redis://user:{REDIS}%@host"),
               ("metrics-agent", {"alert_webhook_url_file": f"ftp://host/{WEBHOOK}"}, None),
               ("metrics-agent", {"alert_webhook_url_file": WEBHOOK}, None),
               ("metrics-agent", {"otlp_endpoint": "http://127.0.0.1:1", "otlp_headers_file": f"Authorization Bearer {OTLP}"}, None),
               ("metrics-agent", {"otlp_endpoint": "http://127.0.0.1:1", "otlp_headers_file": f"Auth orization: {OTLP}\n"}, None),
               ("metrics-agent", {"metrics_basic_auth_file": f"prometheus:{BASIC}\n"}, None),
               ("metrics-agent", {"metrics_basic_auth_file": f"{BASIC}\n"}, None)]
        for program, options, url in bad:
            with self.subTest(program=program, **options, url=url):
                files = {name: text if name == "otlp_endpoint" else self.keep(name, text) for name, text in options.items()}
                environment = dict(os.environ, **({"REDIS_URL": url} if url else {}))
                ended = subprocess.run([binary(program), *flags({"runtime_dir": self.stack.folder, **files})], capture_output=True, text=True,
                                       check=False, env=environment, timeout=30)
                self.assertEqual(78, ended.returncode, ended.stdout + ended.stderr)
                self.assert_clean(ended.stdout + ended.stderr, str(options or url))


if __name__ == "__main__":
    unittest.main()
