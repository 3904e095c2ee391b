#!/usr/bin/python3
"""Every query of every panel and variable of the Grafana dashboards, asked of a real Prometheus that scraped a real run: first
a healthy one, in which no panel may say "No data", then one with every kind of fault, in which each number is what the
fault implies. No Grafana runs here: scripts/grafana/prometheus.py fills in the variables and asks the queries as Grafana would."""

import copy
import json
import math
import os
import re
import shutil
import socket
import sys
import time
import unittest
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from mdpipe_stack import Stack, wait_for  # noqa: E402
from prometheus_server import PrometheusServer  # noqa: E402
from grafana import expressions, picture  # noqa: E402
from grafana.prometheus import QueryError, View  # noqa: E402

FOLDER = ROOT / "compose/grafana/dashboards"
OVERVIEW, DIGGING = "mdpipe.json", "mdpipe-digging.json"
HEALTHY_SCRAPES = 12
REDIS_BYTES_MAX = 1 << 30
BY_RECIPE = tuple(expressions.BY_RECIPE.split("|"))


def load(name):
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def tell(path, command):
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(10)
        control.connect(path)
        control.sendall(f"{command}\n".encode())
        assert control.recv(4096).startswith(b"{"), command


class Run:
    """The pipeline with two exchanges and a Prometheus, healthy for a while and then with faults."""

    def __init__(self):
        self.stack = Stack()
        self.controls = {}
        self.begin = time.time() - 5
        self.agent = self.stack.agent(component_timeout="3s")
        self.prometheus = PrometheusServer(self.stack.folder, self.stack.metrics_port, rules=ROOT / "compose/prometheus/mdpipe.rules.yml")
        self.api = self.prometheus.api
        self.stack.redis.client.config_set("maxmemory", REDIS_BYTES_MAX)
        self.publisher = self.start_publisher()
        self.urls = {name: self._simulator(name, symbols, rate) for name, symbols, rate in (
            ("gmo", "BTC_JPY,ETH_JPY", 600), ("bitflyer", "BTC_JPY,FX_BTC_JPY", 200))}
        # A gmo reader that holds little, and a bitflyer reader that lets old events go.
        self.gmo = self._gmo()
        self.stack.reader("bitflyer", symbols="BTC_JPY,FX_BTC_JPY", url=self.urls["bitflyer"], when_behind="latest", behind_limit="300ms")

    def _simulator(self, exchange, symbols, rate):
        self.controls[exchange] = os.path.join(self.stack.folder, f"{exchange}.ctl")
        return self.stack.simulator(exchange, symbols=symbols, rate=rate, control=self.controls[exchange],
                                    garbage_kinds="truncated,unknown-channel,binary")[1]

    def _gmo(self):
        return self.stack.reader("gmo", symbols="BTC_JPY,ETH_JPY", url=self.urls["gmo"], spool="off", retain_bytes="1MiB",
                                 stale_after="ticker=3s,trade=3s,orderbook=3s", reconnect_delay_min="50ms")

    def wait(self, condition, what):
        """A comparison in Prometheus has a result if it is true, and none if it is false."""
        wait_for(lambda: self.api.now(condition, time.time()), f"Prometheus sees {what}: {condition}", 60)

    def wait_healthy(self):
        self.wait('sum(collector_feed_state{state=~"live|quiet"}) == 12', "all feeds live")
        self.wait("min(collector_component_up) == 1", "all components up")
        self.wait("sum(collector_unconfirmed_events) < 1000", "nothing much held")

    def be_healthy(self):
        self.wait_healthy()
        self.wait(f"count_over_time(collector_publish_latency_seconds_count[1h]) >= {HEALTHY_SCRAPES}", "a healthy while")
        self.healthy_until = time.time()

    def be_hurt(self):
        self._spoil_the_exchange()
        self._refuse_and_cut_redis()
        self._lose_redis()
        self._kill_programs()
        self.wait_healthy()
        self.hurt_until = time.time()

    def _spoil_the_exchange(self):
        for _ in range(6):
            tell(self.controls["gmo"], "garbage")
        self.wait('sum(collector_errors_total{error_type="parse_error"}) >= 2', "bad frames")
        tell(self.controls["gmo"], "silence-symbol ETH_JPY on")
        self.wait('sum(collector_feed_state{state="stale"}) >= 1', "a stale feed")
        self.wait("sum(collector_resubscribes_total) >= 1", "a feed subscribed again")
        tell(self.controls["gmo"], "silence-symbol ETH_JPY off")
        tell(self.controls["bitflyer"], "drop")
        self.wait("sum(collector_reconnects_total) >= 1", "a reconnect")
        self.wait_healthy()

    def start_publisher(self):
        return self.stack.publisher(reconnect_delay_max="1s", stream_bytes_max=REDIS_BYTES_MAX // 2)

    def _refuse_and_cut_redis(self):
        client = self.stack.redis.client
        client.config_set("maxmemory", 1)
        self.wait('collector_redis_refusals_total{reason="oom"} >= 1', "a refusal")
        client.config_set("maxmemory", REDIS_BYTES_MAX)
        self.wait_healthy()
        client.xtrim("md:trade", maxlen=10, approximate=False)
        self.wait("sum(collector_stream_entries_removed_total) >= 1", "a trimmed stream")
        client.flushall()
        self.wait("sum(collector_redis_lost_events_total) >= 1", "an emptied Redis")

    def _lose_redis(self):
        self.stack.redis.kill()
        try:
            self.wait("collector_redis_up == 0", "Redis down")
            self.wait('sum(increase(collector_dropped_events_total{reason="retention"}[1m])) >= 1', "ever more events beyond the bound")
            self.wait('ALERTS{alertname="MdpipeEventsDropped", alertstate="firing"}', "the alert")
            self.wait("sum(collector_conflated_events_total) >= 1", "conflation")
        finally:
            self.stack.redis.start()
        self.stack.redis.client.config_set("maxmemory", REDIS_BYTES_MAX)
        self.wait_healthy()

    def _kill_programs(self):
        self.publisher.kill()
        self.wait('collector_component_up{component="md-publisher"} == 0', "the publisher down")
        self.gmo.kill()
        self.wait('collector_component_up{source="gmo"} == 0', "the reader down")
        self.gmo = self._gmo()
        self.publisher = self.start_publisher()
        self.wait('sum(collector_dropped_events_total{reason="crash"}) >= 1', "what the reader lost")

    def close(self):
        self.prometheus.stop()
        self.stack.__exit__()


def targets(dashboard):
    return [(panel, target) for panel in dashboard["panels"] for target in panel.get("targets", [])]


def ask(api, dashboard, title, ref_id, view):
    """The series of one query."""
    target = next(target for panel, target in targets(dashboard) if (panel["title"], target["refId"]) == (title, ref_id))
    return api.target(target, view, dashboard["templating"]["list"])


def findings(api, dashboard, view):
    """A sentence for each query and variable that finds nothing, or anything that is no number."""
    variables, said = dashboard["templating"]["list"], []
    for variable in variables:
        if variable["type"] == "query" and not api.values_of(variable, view, variables):
            said.append(f"variable {variable['name']} has no values")
    for panel, target in targets(dashboard):
        name = f"{dashboard['title']}: {panel['title']} {target['refId']}"
        try:
            found = api.target(target, view, variables)
        except QueryError as error:
            said.append(f"{name}: {error}")
            continue
        values = [value for series in found for _, value in series.points]
        if not any(math.isfinite(value) for value in values):
            said.append(f"{name}: no data from {view.fill_in(target['expr'], variables)}")
        if any(math.isinf(value) for value in values):
            said.append(f"{name}: infinity from {view.fill_in(target['expr'], variables)}")
        unnamed = [series.labels for series in found if re.search(r"\{\{", target["legendFormat"]) and not series.named(target["legendFormat"])]
        if unnamed:
            said.append(f"{name}: a legend without a name, of {unnamed[0]}")
    return said


@unittest.skipUnless(shutil.which("prometheus"), "prometheus is not installed")
class GrafanaTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.run_ = Run()
        try:
            cls.run_.be_healthy()
            cls.run_.be_hurt()
        except BaseException:
            cls.run_.close()
            raise
        cls.addClassCleanup(cls.run_.close)
        cls.api = cls.run_.api
        cls.dashboards = {name: load(name) for name in (OVERVIEW, DIGGING)}
        cls.healthy = View(cls.run_.begin, cls.run_.healthy_until, scrape_interval_s=1)
        cls.hurt = View(cls.run_.begin, cls.run_.hurt_until, scrape_interval_s=1)

    def series(self, name, title, ref_id="A", view=None):
        return ask(self.api, self.dashboards[name], title, ref_id, view or self.hurt)

    def number(self, title, ref_id="A", view=None):
        found = self.series(OVERVIEW, title, ref_id, view)
        self.assertEqual(1, len(found), title)
        return found[0].last

    def sum_of_bars(self, name, title, ref_id="A", **labels):
        return sum(value for series in self.series(name, title, ref_id) if labels.items() <= series.labels.items()
                   for _, value in series.points)

    def counted(self, metric, without=()):
        """What /metrics says of it, all labels together."""
        return sum(value for name, value in self.run_.stack.samples().items()
                   if name.startswith(metric + "{") and not any(f'reason="{reason}"' in name for reason in without))

    def test_every_query_has_data_while_all_is_well(self):
        for dashboard in self.dashboards.values():
            self.assertEqual([], findings(self.api, dashboard, self.healthy))

    def test_every_query_has_data_after_faults(self):
        for dashboard in self.dashboards.values():
            self.assertEqual([], findings(self.api, dashboard, self.hurt))

    def test_every_query_has_data_for_one_of_each_variable(self):
        chosen = {"exchange": ["gmo"], "channel": ["trade"], "symbol": ["BTC_JPY", "ETH_JPY"], "component": ["ws-reader"]}
        view = View(self.hurt.start, self.hurt.end, 1, chosen=chosen)
        for dashboard in self.dashboards.values():
            self.assertEqual([], findings(self.api, dashboard, view))

    def test_a_query_that_finds_nothing_is_found(self):
        for old, new in (("collector_messages_received_total", "collector_message_received_total"), ('"$exchange"', '"gmx"')):
            broken = copy.deepcopy(self.dashboards[OVERVIEW])
            panel = next(panel for panel in broken["panels"] if panel["title"] == "Received and published")
            panel["targets"][0]["expr"] = panel["targets"][0]["expr"].replace(old, new)
            self.assertEqual(1, len(findings(self.api, broken, self.hurt)), new)

    def test_the_answers_are_yes_while_all_is_well(self):
        for title in ("Complete?", "Fresh?"):
            self.assertEqual(0, self.number(title, view=self.healthy), title)
        self.assertEqual({"none"}, {series.labels["alert"] for series in self.series(OVERVIEW, "Alerts firing", view=self.healthy)})

    def test_lost_events_are_counted_to_the_last_one(self):
        dropped = self.counted("collector_dropped_events_total", BY_RECIPE)
        gone = self.counted("collector_redis_lost_events_total") + self.counted("collector_stream_entries_removed_total")
        events = "Events, in the range shown"
        self.assertEqual(dropped, self.number(events, "A"))
        self.assertEqual(gone, self.number(events, "B"))
        self.assertEqual(0, self.number(events, "C"))
        self.assertEqual(dropped + gone + 0.25, self.number("Complete?"))
        self.assertEqual(dropped, self.sum_of_bars(OVERVIEW, "Lost, and interruptions", "A"))
        self.assertEqual(gone, self.sum_of_bars(OVERVIEW, "Lost, and interruptions", "B"))

    def test_interruptions_are_the_cut_connection_and_the_killed_reader(self):
        reconnects = self.counted("collector_reconnects_total")
        self.assertGreaterEqual(reconnects, 1)
        self.assertEqual(reconnects + 1, self.number("Events, in the range shown", "D"))
        self.assertEqual(reconnects, self.sum_of_bars(OVERVIEW, "Lost, and interruptions", "C"))

    def test_what_lies_before_the_range_is_not_counted(self):
        healed = View(self.run_.hurt_until - 1, self.run_.hurt_until, scrape_interval_s=1)
        self.assertEqual(0, self.number("Complete?", view=healed))

    def test_faults_are_seen_where_a_person_digs_for_them(self):
        for title, ref_id, labels in (
                ("Subscribed again", "A", {"exchange": "gmo"}), ("Reconnects", "A", {"exchange": "bitflyer"}),
                ("Errors, by type", "A", {"error_type": "parse_error"}), ("Errors, by type", "A", {"error_type": "unknown_channel"}),
                ("Dropped, by feed and reason", "A", {"reason": "retention", "exchange": "gmo"}),
                ("Dropped, by feed and reason", "A", {"reason": "crash", "exchange": "gmo"}),
                ("Redis refused, by reason", "A", {"reason": "oom"}), ("Redis holds less", "A", {"source": "gmo"}),
                ("Redis holds less", "B", {"stream": "md:trade"}), ("Conflated", "A", {"exchange": "bitflyer"})):
            with self.subTest(title, **labels):
                self.assertGreater(self.sum_of_bars(DIGGING, title, ref_id, **labels), 0)

    def states_seen(self, title, ref_id="A", view=None, **labels):
        return {value for series in self.series(DIGGING, title, ref_id, view) if labels.items() <= series.labels.items()
                for _, value in series.points}

    def test_states_are_seen_over_time(self):
        self.assertEqual({0}, self.states_seen("Feed states", exchange="gmo", symbol="BTC_JPY", channel="trade", view=self.healthy) - {1, 2, 3})
        self.assertIn(4, self.states_seen("Feed states", exchange="gmo", symbol="ETH_JPY"))
        self.assertNotIn(4, self.states_seen("Feed states", exchange="bitflyer"))
        self.assertEqual({0, 1}, self.states_seen("Connections", "B"))
        self.assertEqual({0, 1}, self.states_seen("Components", source="gmo"))
        self.assertEqual({0, 1}, self.states_seen("Components", component="md-publisher"))
        self.assertIn(1, self.states_seen("Alerts", alert="MdpipeEventsDropped"))

    def test_held_events_grew_while_redis_was_away(self):
        held = max(value for series in self.series(DIGGING, "Events held") for _, value in series.points)
        self.assertGreater(held, 500)

    def test_tables_have_a_row_for_each_feed_and_component(self):
        self.assertEqual(12, len(self.series(DIGGING, "Feeds now")))
        self.assertEqual(12, len(self.series(DIGGING, "Feeds now", "B")))
        self.assertEqual(4, len(self.series(DIGGING, "Components now", "B")))

    def test_variables_offer_what_was_collected(self):
        dashboard = self.dashboards[DIGGING]
        variables = dashboard["templating"]["list"]
        view = View(self.hurt.start, self.hurt.end, 1, chosen={"exchange": ["gmo"]})
        offered = {variable["name"]: self.api.values_of(variable, view, variables) for variable in variables if variable["type"] == "query"}
        self.assertEqual({"exchange": ["bitflyer", "gmo"], "channel": ["orderbook", "ticker", "trade"], "symbol": ["BTC_JPY", "ETH_JPY"],
                          "component": ["md-publisher", "metrics-agent", "ws-reader"]}, offered)

    def texts_of_picture(self, name, view):
        """All that is written in the picture of a dashboard, which is well-formed."""
        drawn = picture.draw(FOLDER / name, self.api, view)
        self.assertNotIn("nan", drawn.lower().replace("binance", ""))
        return [element.text for element in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]

    def test_pictures_show_every_panel_and_the_answers(self):
        for name, dashboard in self.dashboards.items():
            for view in (self.healthy, self.hurt):
                shown = self.texts_of_picture(name, view)
                for title in (panel["title"] for panel in dashboard["panels"]):
                    self.assertTrue(title in shown or any(text[-1:] == "…" and title.startswith(text[:-1]) for text in shown), title)
        self.assertEqual(2, self.texts_of_picture(OVERVIEW, self.healthy).count("yes"))
        self.assertTrue(any(re.fullmatch(r"\d+ lost", text) for text in self.texts_of_picture(OVERVIEW, self.hurt)))


if __name__ == "__main__":
    unittest.main(verbosity=2)
