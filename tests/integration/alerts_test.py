#!/usr/bin/python3
"""The alerts of a real metrics-agent: each condition fires and ends, a real HTTP(S) receiver gets the messages, and the same rules run
in a real Prometheus and Alertmanager. MDPIPE_BIN_DIR names the folder of the binary."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from metrics_agent_support import Agent, BOUNDS, Component, wait_for  # noqa: E402
from webhook_receiver import WebhookReceiver  # noqa: E402
from ws_server import Certificates  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.path.join(os.environ.get("MDPIPE_BIN_DIR", "build"), "metrics-agent")
STATES = {name: float(number) for number, name in enumerate(("pending", "live", "quiet", "stale", "gap", "down"))}
TICKER = ["gmo", "ticker", "BTC_JPY"]


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def listed_alerts():
    """{name: (severity, limit, seconds)} as metrics-agent has them"""
    text = re.sub(r"\s+", " ", read("metrics-agent/alerts/rules/alert_rules.hpp"))
    seconds = {"seconds": 1, "minutes": 60}
    entry = r'AlertInfo\{AlertId::\w+, "(\w+)", log::Level::(\w+), ([\d.\']+), std::chrono::(\w+)\((\d+)\)'
    return {name: ({"Error": "critical", "Warn": "warning"}[level], float(limit.replace("'", "")), int(count) * seconds[unit])
            for name, level, limit, unit, count in re.findall(entry, text)}


ALERTS = listed_alerts()
AT_ONCE = ",".join(f"{name}=0s" for name in ALERTS)


class AlertsTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mdpipe-alerts-")
        self.agents, self.components, self.receivers, self.processes = [], [], [], []

    def tearDown(self):
        for component in self.components:
            component.close()
        for agent in self.agents:
            if agent.process.poll() is None:
                agent.kill()
        for receiver in self.receivers:
            receiver.close()
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(30)
        shutil.rmtree(self.folder)

    def agent(self, **options):
        settings = {"alert_for": AT_ONCE, "alert_keep": "0s", "component_timeout": "60s", **options}
        self.agents.append(Agent(BINARY, self.folder, **settings))
        return self.agents[-1]

    def component(self, name="ws-reader", source="gmo"):
        component = Component(f"ipc://{self.folder}/metrics", name, source)
        self.components.append(component)
        component.subscribed()
        return component

    def receiver(self, **options):
        self.receivers.append(WebhookReceiver(**options))
        return self.receivers[-1]

    def webhook(self, receiver, **options):
        """An agent that calls the receiver."""
        path = os.path.join(self.folder, "webhook-url")
        with open(path, "w", encoding="ascii") as file:
            file.write(receiver.url + "\n")
        return self.agent(alert_webhook_url_file=path, alert_webhook_interval_min="1s", alert_off="MdpipeNoComponents", **options)

    @staticmethod
    def lines(agent, message, alert=None):
        return [line for line in list(agent.lines) if line["msg"] == message and alert in (None, line["alert"])]

    def wait_line(self, agent, message, alert):
        return wait_for(lambda: self.lines(agent, message, alert), f"{message} {alert}")[0]

    @staticmethod
    def firing(agent, alert):
        return agent.samples().get('collector_alert_firing{alert="%s"}' % alert)

    @staticmethod
    def notifications(agent, result):
        return agent.samples()['collector_alert_notifications_total{result="%s"}' % result]

    @staticmethod
    def set_exchange(reader, is_up, exchange="gmo"):
        reader.set("gauges", "collector_connection_up", [exchange], 1.0 if is_up else 0.0)
        reader.send()

    def have_looked_at(self, agent, reader):
        """What the reader has to say so far was judged: an alert of another kind fires with it."""
        self.set_exchange(reader, False)
        self.wait_line(agent, "alert firing", "MdpipeExchangeDown")

    # What each alert is about

    def test_what_is_down_or_stale_fires_and_ends(self):
        agent = self.agent()
        wait_for(lambda: self.firing(agent, "MdpipeNoComponents") == 1, "no components")
        reader, publisher = self.component(), self.component("md-publisher", "main")
        feed = ("gauges", "collector_feed_state", TICKER)
        backlog = ("gauges", "collector_unconfirmed_events", ["gmo"])
        publisher.set("gauges", "collector_redis_memory_max_bytes", ["md-publisher"], 100.0)
        clock = ("gauges", "collector_clock_offset_seconds", ["gmo"])
        for component, series, bad, good, alert, subject in (
                (reader, ("gauges", "collector_connection_up", ["gmo"]), 0.0, 1.0, "MdpipeExchangeDown", "gmo"),
                (publisher, ("gauges", "collector_redis_up", ["md-publisher"]), 0.0, 1.0, "MdpipeRedisDown", "md-publisher"),
                (reader, feed, STATES["stale"], STATES["live"], "MdpipeFeedStale", "gmo ticker BTC_JPY"),
                (reader, feed, STATES["gap"], STATES["quiet"], "MdpipeFeedStale", "gmo ticker BTC_JPY"),
                (reader, feed, STATES["pending"], STATES["live"], "MdpipeFeedPending", "gmo ticker BTC_JPY"),
                (reader, backlog, 10001.0, 5000.0, "MdpipeBacklog", "gmo"),
                (publisher, ("gauges", "collector_redis_memory_used_bytes", ["md-publisher"]), 91.0, 90.0, "MdpipeRedisNearlyFull",
                 "md-publisher"),
                (reader, clock, -0.11, 0.2, "MdpipeClockBehind", "gmo")):
            with self.subTest(alert):
                before = len(self.lines(agent, "alert firing", alert)), len(self.lines(agent, "alert over", alert))
                component.set(*series, bad)
                component.send()
                wait_for(lambda a=alert: self.firing(agent, a) == 1, f"{alert} shown")
                component.set(*series, good)
                component.send()
                wait_for(lambda a=alert: self.firing(agent, a) == 0, f"{alert} over")
                fired = self.lines(agent, "alert firing", alert)[before[0]:]
                over = self.lines(agent, "alert over", alert)[before[1]:]
                self.assertEqual((len(fired), len(over)), (1, 1))
                severity, limit, _ = ALERTS[alert]
                self.assertEqual(fired[0]["level"], {"critical": 50, "warning": 40}[severity])
                self.assertEqual(over[0]["level"], 30)
                self.assertEqual((fired[0]["severity"], fired[0]["limit"], fired[0]["subjects"], fired[0]["firing"]),
                                 (severity, limit, [subject], 1))
                self.assertGreater(fired[0]["value"], limit)
                self.assertRegex(fired[0]["since"], r"^20\d\d-")
                self.assertEqual(fired[0]["runbook"], f"docs/runbook.md#{alert.lower()}")
                self.assertEqual((over[0]["subjects"], over[0]["firing"]), ([subject], 0))
        self.wait_line(agent, "alert over", "MdpipeNoComponents")

    def test_what_is_counted_fires(self):
        agent = self.agent(alert_limits="MdpipeReconnecting=3")
        reader = self.component()
        counters = {
            "MdpipeEventsDropped": ("collector_dropped_events_total", ["ws-reader", *TICKER, "retention"], 1),
            "MdpipeRedisLostEvents": ("collector_redis_lost_events_total", ["gmo"], 1),
            "MdpipeStreamCut": ("collector_stream_entries_removed_total", ["md:trade"], 1),
            "MdpipeErrors": ("collector_errors_total", ["ws-reader", "parse_error"], 6),
            "MdpipeReconnecting": ("collector_reconnects_total", ["gmo"], 4),
            "MdpipeForwardFailing": ("collector_forward_errors_total", ["statsd", "refused"], 3),
            "MdpipeForwardDropped": ("collector_forward_dropped_points_total", ["statsd", "too_old"], 1)}
        for name, labels, _ in counters.values():
            reader.add(name, labels, 1000)  # of long ago
        self.have_looked_at(agent, reader)
        # At their limits, not above them.
        for alert, (name, labels, count) in counters.items():
            reader.add(name, labels, count - 1)
        reader.add("collector_dropped_events_total", ["ws-reader", "gmo", "orderbook", "BTC_JPY", "book_gap"], 5)
        self.set_exchange(reader, True)
        self.wait_line(agent, "alert over", "MdpipeExchangeDown")
        self.assertEqual({line["alert"] for line in self.lines(agent, "alert firing")} - {"MdpipeNoComponents"},
                         {"MdpipeExchangeDown"})
        for name, labels, _ in counters.values():
            reader.add(name, labels, 1)
        reader.add("collector_of_the_future_total", ["a"], 1)
        reader.send()
        for alert, (_, _, count) in counters.items():
            self.assertEqual(self.wait_line(agent, "alert firing", alert)["value"], count)
        self.assertEqual(self.wait_line(agent, "alert firing", "MdpipeEventsDropped")["subjects"],
                         ["ws-reader gmo ticker retention"])
        self.assertEqual(self.wait_line(agent, "alert firing", "MdpipeSeriesRefused")["subjects"], ["ws-reader"])

    def test_received_but_not_published_and_slowly_published(self):
        agent = self.agent()
        reader, publisher = self.component(), self.component("md-publisher", "main")
        reader.add("collector_messages_received_total", TICKER, 5)
        publisher.add("collector_messages_published_total", ["gmo", "md:ticker", "BTC_JPY"], 5)
        publisher.send()
        self.have_looked_at(agent, reader)
        reader.add("collector_messages_received_total", TICKER, 5)
        reader.send()
        self.assertEqual(self.wait_line(agent, "alert firing", "MdpipeNothingPublished")["subjects"], ["gmo"])
        publisher.add("collector_messages_published_total", ["gmo", "md:ticker", "BTC_JPY"], 5)
        latency = ("histograms", "collector_publish_latency_seconds", ["gmo", "md:ticker"])
        slow, fast = [0] * BOUNDS, [0] * BOUNDS
        slow[12], fast[12], fast[3] = 5, 5, 5000  # up to 1 s, up to 1 ms
        publisher.set(*latency, (5, 4e9, slow, [[2000, 5]]))
        publisher.send()
        self.wait_line(agent, "alert over", "MdpipeNothingPublished")
        self.assertAlmostEqual(self.wait_line(agent, "alert firing", "MdpipePublishSlow")["value"], 0.995, 3)
        publisher.set(*latency, (5005, 9e9, fast, [[2000, 5], [1000, 5000]]))
        publisher.send()
        self.wait_line(agent, "alert over", "MdpipePublishSlow")

    def test_a_silent_component_fires_and_a_stopped_one_does_not(self):
        agent = self.agent(component_timeout="1s")
        stopped, silent = self.component("ws-reader", "stopped"), self.component("ws-reader", "silent")
        stopped.send()
        silent.send()
        stopped.send(last=True)
        line = self.wait_line(agent, "alert firing", "MdpipeComponentDown")
        self.assertEqual(line["subjects"], ["ws-reader silent"])
        samples = agent.samples()
        for source, is_stopped in (("stopped", 1), ("silent", 0)):
            labels = '{component="ws-reader",source="%s"}' % source
            self.assertEqual(samples["collector_component_up" + labels], 0)
            self.assertEqual(samples["collector_component_stopped" + labels], is_stopped)
        wait_for(lambda: silent.send() or self.lines(agent, "alert over", "MdpipeComponentDown"), "it is back")

    def test_all_are_known_before_anything_happens_and_nothing_where_they_are_off(self):
        agent = self.agent(alert_for="MdpipeNoComponents=1h")
        wait_for(lambda: self.firing(agent, "MdpipeErrors") == 0, "the series")
        samples = agent.samples()
        self.assertEqual({name: samples.get('collector_alert_firing{alert="%s"}' % name) for name in ALERTS},
                         dict.fromkeys(ALERTS, 0))
        agent.stop()
        silent = self.agent(alerts="false")
        reader = self.component()
        self.set_exchange(reader, False)
        silent.wait_sample('collector_connection_up{exchange="gmo"}', 0)
        logged = len(silent.windows("gmo"))
        wait_for(lambda: len(silent.windows("gmo")) > logged + 1, "two windows")
        self.assertFalse(any("alert" in name for name in silent.samples() if not name.startswith("#")))
        self.assertEqual(self.lines(silent, "alert firing"), [])

    def test_wrong_options_are_refused_with_the_remedy_and_without_the_secret(self):
        def check(*arguments, **environment):
            run = subprocess.run([BINARY, *arguments, "--check-config"], capture_output=True, text=True, timeout=20, check=False,
                                 env=dict(os.environ, **environment))
            self.assertNotIn("secret-address", run.stdout + run.stderr)
            return run.returncode, run.stderr
        path = os.path.join(self.folder, "alert_webhook_url")
        for content, part in (("", "cannot be read or is empty"), ("secret-address", "does not contain an address"),
                              ("https://h/secret-address\nhttps://h/secret-address", "does not contain an address")):
            with open(path, "w", encoding="ascii") as file:
                file.write(content)
            for arguments, environment in (([f"--alert-webhook-url-file={path}"], {}), ([], {"CREDENTIALS_DIRECTORY": self.folder})):
                code, text = check(*arguments, **environment)
                self.assertEqual((code, len(text.splitlines())), (78, 1), text)
                self.assertIn("--alert-webhook-url-file", text)
                self.assertIn(part, text)
        with open(path, "w", encoding="ascii") as file:
            file.write("https://h/secret-address\n")
        self.assertEqual(check(f"--alert-webhook-url-file={path}")[0], 0)
        for argument in ("--alert-limits=MdpipeErrors", "--alert-for=MdpipeX=1s", "--alert-off=Errors"):
            code, text = check(argument)
            self.assertEqual((code, len(text.splitlines())), (78, 1), text)
            self.assertIn(argument.split("=")[0], text)
            self.assertIn("MdpipeErrors", text)

    # Where they are sent

    def test_a_webhook_is_told_both_ends(self):
        receiver = self.receiver()
        agent = self.webhook(receiver)
        reader = self.component()
        self.set_exchange(reader, False)
        wait_for(lambda: receiver.alerts() == [("MdpipeExchangeDown", "firing")], "the beginning")
        self.set_exchange(reader, True)
        wait_for(lambda: receiver.alerts() == [("MdpipeExchangeDown", "firing"), ("MdpipeExchangeDown", "over")], "the end")
        body = receiver.bodies[0]
        self.assertEqual((body["version"], body["host"]), (1, socket.gethostname()))
        alert = body["alerts"][0]
        self.assertEqual((alert["severity"], alert["subjects"], alert["value"], alert["limit"]), ("critical", ["gmo"], 1, 0))
        self.assertEqual(receiver.requests[0][0], "/services/very-secret-path")
        self.assertEqual(receiver.requests[0][1]["Content-Type"], "application/json")
        wait_for(lambda: self.notifications(agent, "sent") == 2, "two counted")
        self.assertEqual([self.notifications(agent, result) for result in ("failed", "rate_limited", "dropped")], [0, 0, 0])
        self.assertEqual(agent.stop(), 0)
        self.assertNotIn("secret", json.dumps(agent.lines))

    def test_slack_and_discord_over_tls(self):
        certificates = Certificates(self.folder)
        certificate = certificates.make("hooks", "DNS:localhost")
        for form, key in (("slack", "text"), ("discord", "content")):
            receiver = self.receiver(certificate=certificate, script=[(204, {})] if form == "discord" else [])
            agent = self.webhook(receiver, alert_webhook_format=form, alert_webhook_ca_file=certificates.ca)
            self.set_exchange(self.component(), False)
            body = wait_for(lambda r=receiver: r.bodies, "a message")[0]
            self.assertIn("FIRING MdpipeExchangeDown (critical)", body[key])
            wait_for(lambda a=agent: self.notifications(a, "sent") == 1, "counted")
            self.assertEqual(agent.stop(), 0)

    def test_an_unknown_authority_is_not_told(self):
        certificate = Certificates(self.folder).make("hooks", "DNS:localhost")
        receiver = self.receiver(certificate=certificate)
        agent = self.webhook(receiver)
        self.set_exchange(self.component(), False)
        wait_for(lambda: self.notifications(agent, "failed") > 0, "a failure")
        self.assertEqual(receiver.bodies, [])

    def test_what_fails_is_sent_again(self):
        receiver = self.receiver(script=[(500, {}), (503, {}), (429, {"Retry-After": "1"})])
        agent = self.webhook(receiver)
        self.set_exchange(self.component(), False)
        wait_for(lambda: self.notifications(agent, "sent") == 1, "sent in the end")
        self.assertEqual(self.notifications(agent, "failed"), 2)
        self.assertEqual(self.notifications(agent, "rate_limited"), 1)
        self.assertEqual(receiver.alerts(), [("MdpipeExchangeDown", "firing")] * 4)
        wait_for(lambda: "the alert webhook accepts messages again" in agent.messages(), "the log line")
        self.assertNotIn("secret", json.dumps(agent.lines))

    def test_what_is_refused_is_dropped_and_the_next_is_sent(self):
        receiver = self.receiver(script=[(404, {})])
        agent = self.webhook(receiver)
        reader = self.component()
        self.set_exchange(reader, False)
        wait_for(lambda: self.notifications(agent, "dropped") == 1, "dropped")
        self.set_exchange(reader, True)
        wait_for(lambda: receiver.alerts() == [("MdpipeExchangeDown", "firing"), ("MdpipeExchangeDown", "over")], "the next")
        refused = next(line for line in agent.lines if "refused a message" in line["msg"])
        self.assertEqual((refused["level"], refused["status"]), (50, 404))
        self.assertEqual(refused["receiver"], f"http://localhost:{receiver.port}")
        self.assertNotIn("secret", json.dumps(agent.lines))

    def test_a_dead_receiver_costs_nothing_and_is_told_how_things_are_when_it_is_back(self):
        receiver = self.receiver()
        port = receiver.port
        agent = self.webhook(receiver)
        self.receivers.remove(receiver)
        receiver.close()
        reader = self.component()
        self.set_exchange(reader, False)
        wait_for(lambda: self.notifications(agent, "failed") > 0, "a failure")
        logged = len(agent.windows("gmo"))
        wait_for(lambda: len(agent.windows("gmo")) > logged + 1, "windows go on")
        self.set_exchange(reader, False, "kraken")
        wait_for(lambda: len(self.lines(agent, "alert firing")) == 2, "the second")
        self.set_exchange(reader, True)
        self.wait_line(agent, "alert over", "MdpipeExchangeDown")
        back = self.receiver(port=port)
        wait_for(lambda: back.bodies, "the message", 60)
        told = [(alert["status"], alert["subjects"]) for alert in back.bodies[0]["alerts"]]
        self.assertEqual(told, [("firing", ["kraken"]), ("over", ["gmo"])])
        self.assertNotIn("secret", json.dumps(agent.lines))

    def test_what_happens_meanwhile_is_one_message(self):
        receiver = self.receiver()
        agent = self.webhook(receiver)
        reader = self.component()
        receiver.released.clear()  # the first message is on its way until the others have fired
        self.set_exchange(reader, False)
        wait_for(lambda: receiver.bodies, "the first message")
        for symbol in ("A", "B", "C"):
            reader.set("gauges", "collector_feed_state", ["gmo", "ticker", symbol], STATES["stale"])
            reader.send()
            wait_for(lambda s=symbol: any(line["subjects"] == [f"gmo ticker {s}"] for line in
                                          self.lines(agent, "alert firing", "MdpipeFeedStale")), symbol)
        receiver.released.set()
        second = wait_for(lambda: receiver.bodies[1:], "the second message")[0]
        self.assertEqual([(alert["alert"], alert["subjects"]) for alert in second["alerts"]],
                         [("MdpipeFeedStale", [f"gmo ticker {symbol}" for symbol in "ABC"])])

    # The same in Prometheus

    def test_agent_rules_and_runbook_have_the_same_alerts(self):
        rules = read("compose/prometheus/mdpipe.rules.yml")
        blocks = re.findall(r"- alert: (\w+)\n(.*?)(?=\n\n|\Z)", rules, re.DOTALL)
        only_prometheus = {"MdpipeAgentDown", "MdpipeWebhookFailing"}  # the agent cannot say these of itself
        self.assertEqual({name for name, _ in blocks} - only_prometheus, set(ALERTS))
        self.assertEqual(len(ALERTS), 19)
        self.assertEqual(re.findall(r"^### (Mdpipe\w+)$", read("docs/runbook.md"), re.MULTILINE), [name for name, _ in blocks])
        for name, block in blocks:
            self.assertIn(f'runbook: "docs/runbook.md#{name.lower()}"', block)
            self.assertIn("keep_firing_for: 1m", block)
            if name in only_prometheus:
                continue
            with self.subTest(name):
                severity, limit, seconds = ALERTS[name]
                self.assertIn(f"severity: {severity}", block)
                hold = re.search(r"\n +for: (\d+)(s|m)", block)
                self.assertEqual(int(hold[1]) * {"s": 1, "m": 60}[hold[2]] if hold else 0, seconds)
                if limit > 0:
                    expr = block.split("      for:")[0].split("      keep_firing_for:")[0]
                    numbers = [abs(float(number)) for number in re.findall(r"[<>] (-?[\d.]+)", expr)]
                    self.assertEqual(numbers, [limit, limit / 2])

    def test_what_is_no_loss_is_the_same_everywhere(self):
        def reasons(text):
            return set(re.findall(r"\w+", text))
        agent = " ".join(re.findall(r'"(\w+)",\s*DropEffect::(?!Loss)', read("libshared/metrics/drop_reason.hpp")))
        rules = re.findall(r'reason!~"(.*?)"', read("compose/prometheus/mdpipe.rules.yml"))
        documented = set(re.findall(r"^\| `(\w+)` \| ", read("docs/books.md").split("| reason | what |")[1], re.MULTILINE))
        self.assertGreater(len(rules), 0)
        for text in (agent, *rules):
            self.assertEqual(reasons(text), documented)

    @unittest.skipUnless(shutil.which("prometheus") and shutil.which("prometheus-alertmanager"),
                         "prometheus and prometheus-alertmanager are not both installed")
    def test_a_real_prometheus_and_alertmanager_tell_a_webhook(self):
        receiver = self.receiver()
        agent = self.agent()
        reader = self.component()
        self.set_exchange(reader, True)
        self.start_prometheus(agent.port, self.start_alertmanager(receiver.url))
        self.set_exchange(reader, False)

        def told(status):
            return [alert for body in list(receiver.bodies) for alert in body["alerts"]
                    if alert["labels"]["alertname"] == "MdpipeExchangeDown" and alert["status"] == status]
        alert = wait_for(lambda: told("firing"), "Alertmanager says it fires", 60)[0]
        self.assertEqual((alert["labels"]["exchange"], alert["labels"]["severity"]), ("gmo", "critical"))
        self.assertEqual(alert["annotations"]["runbook"], "docs/runbook.md#mdpipeexchangedown")
        self.assertEqual(told("resolved"), [])
        self.set_exchange(reader, True)
        wait_for(lambda: told("resolved"), "Alertmanager says it is over", 60)

    def start(self, name, *command):
        with open(os.path.join(self.folder, f"{name}.log"), "wb") as log:
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log))

    @staticmethod
    def free_port():
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return free.getsockname()[1]

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def start_alertmanager(self, url):
        """The shipped routes, sooner, and with a receiver's settings; returns the port."""
        text = re.sub(r"(group_wait|group_interval): \w+", r"\1: 1s", read("compose/alertmanager/alertmanager.yml"))
        self.assertIn("  - name: inbox\n", text)
        text = text.replace("  - name: inbox\n", f"  - name: inbox\n    webhook_configs: [{{url: '{url}'}}]\n")
        port = self.free_port()
        self.start("alertmanager", "prometheus-alertmanager", f"--config.file={self.write('alertmanager.yml', text)}",
                   f"--storage.path={self.folder}/alertmanager", f"--web.listen-address=127.0.0.1:{port}",
                   "--cluster.listen-address=")
        return port

    def start_prometheus(self, agent_port, alertmanager_port):
        """The shipped rules with short times."""
        rules = re.sub(r"(for|keep_firing_for): \w+\n", r"\1: 1s\n", read("compose/prometheus/mdpipe.rules.yml"))
        self.write("mdpipe.rules.yml", rules)
        config = read("compose/prometheus/prometheus.yml").replace("5s", "1s")
        config = config.replace("alertmanager:9093", f"127.0.0.1:{alertmanager_port}")
        config = config.replace("metrics-agent:9100", f"127.0.0.1:{agent_port}")
        self.start("prometheus", "prometheus", f"--config.file={self.write('prometheus.yml', config)}",
                   f"--storage.tsdb.path={self.folder}/prometheus", f"--web.listen-address=127.0.0.1:{self.free_port()}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
