"""The compose folder against the tools that will read it: docker-compose, promtool and amtool of Debian. The expressions of the dashboards
must parse and, as the alert rules, name metrics of the catalogue. A tool that is missing is a visible skip. dashboards_test.py
checks the dashboards' files, tests/e2e/grafana_test.py the values that they show."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from grafana.prometheus import View  # noqa: E402

COMPOSE = ROOT / "compose"
RULES = COMPOSE / "prometheus/mdpipe.rules.yml"
DASHBOARDS = sorted((COMPOSE / "grafana/dashboards").glob("*.json"))
PROGRAMS = {Path(path).name: path for path in os.environ["MDPIPE_PROGRAMS"].split(":")}


def run(*command, cwd=COMPOSE, **environment):
    return subprocess.run([str(part) for part in command], cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=dict(os.environ, **environment))


def needs(tool):
    return unittest.skipUnless(shutil.which(tool), f"{tool} is not installed")


def catalogue():
    text = (ROOT / "libshared/metrics/catalogue.hpp").read_text()
    return dict(re.findall(r'MetricInfo\{\s*Metric::\w+,\s*"(\w+)",\s*Kind::(\w+)', text))


def expressions():
    """Of all dashboards, with their variables filled in."""
    view = View(start=0, end=900)
    for dashboard in (json.loads(path.read_text(encoding="utf-8")) for path in DASHBOARDS):
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                yield view.fill_in(target["expr"], dashboard["templating"]["list"])


def metric_names(text):
    return set(re.findall(r"\b((?:collector|process)_\w+)", text))


class Compose(unittest.TestCase):
    @needs("docker-compose")
    def test_docker_compose_accepts_the_file(self):
        for arguments in ([], ["--profile", "sim"]):
            shown = run("docker-compose", *arguments, "config", "-q")
            self.assertEqual((0, ""), (shown.returncode, shown.stdout))

    @needs("docker-compose")
    def test_programs_accept_what_their_containers_give_them(self):
        shown = run("docker-compose", "--profile", "sim", "config", "--services")
        self.assertTrue(set(PROGRAMS) - {"mdpipe-keygen"} <= set(shown.stdout.split()), shown.stdout)
        text = (COMPOSE / "docker-compose.yml").read_text()
        for command in re.findall(r"^    command: (\[.*\])$", text, re.M):
            program, *arguments = json.loads(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", command))
            if program not in PROGRAMS:
                continue
            with self.subTest(program):
                needed = {"ws-reader": {"EXCHANGE": "gmo", "SYMBOLS": "BTC_JPY,ETH_JPY", "WS_URL": ""},
                          "md-publisher": {"REDIS_URL": "redis://redis:6379"}}.get(program, {})
                checked = run(PROGRAMS[program], *arguments, "--check-config", **needed)
                self.assertEqual(0, checked.returncode, checked.stdout)

    @needs("promtool")
    def test_prometheus_accepts_configuration_and_rules(self):
        for arguments in (["check", "config", "prometheus.yml"], ["check", "rules", "--lint-fatal", RULES.name],
                          ["test", "rules", "mdpipe.rules.test.yml"]):
            shown = run("promtool", *arguments, cwd=RULES.parent)
            self.assertEqual(0, shown.returncode, shown.stdout)

    def test_each_alert_is_seen_firing_by_a_rule_test(self):
        alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
        tests = (RULES.parent / "mdpipe.rules.test.yml").read_text()
        fired = re.findall(r"- alertname: (\w+)\n(?:.*\n)?\s+exp_alerts:\n", tests)
        self.assertEqual(set(alerts), set(fired))

    @needs("amtool")
    def test_alertmanager_accepts_its_configuration(self):
        shown = run("amtool", "check-config", COMPOSE / "alertmanager/alertmanager.yml")
        self.assertEqual(0, shown.returncode, shown.stdout)

    @needs("promtool")
    def test_dashboard_expressions_parse(self):
        rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions())]
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)  # JSON is YAML
            file.flush()
            shown = run("promtool", "check", "rules", "--lint=none", file.name)
            self.assertEqual(0, shown.returncode, shown.stdout)

    def test_rules_and_dashboards_name_metrics_that_exist(self):
        known = catalogue()
        known_series = set(known) | {f"{name}_bucket" for name, kind in known.items() if kind == "Histogram"}
        self.assertEqual(set(), metric_names(RULES.read_text()) - known_series)
        self.assertEqual(set(), metric_names(" ".join(expressions())) - known_series)

    def test_dashboards_begin_with_the_provisioned_data_source(self):
        uid = re.search(r"uid: (\S+)", (COMPOSE / "grafana/provisioning/datasources/prometheus.yml").read_text()).group(1)
        for path in DASHBOARDS:
            variable = json.loads(path.read_text(encoding="utf-8"))["templating"]["list"][0]
            self.assertEqual(("datasource", uid), (variable["type"], variable["current"]["value"]))

    def test_the_first_thing_seen_is_the_overview(self):
        text = (COMPOSE / "docker-compose.yml").read_text()
        folder = re.search(r"path: (\S+)", (COMPOSE / "grafana/provisioning/dashboards/mdpipe.yml").read_text()).group(1)
        self.assertIn(f"GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH: {folder}/mdpipe.json", text)
        self.assertIn(f"- ./grafana/dashboards:{folder}:ro", text)


if __name__ == "__main__":
    unittest.main()
