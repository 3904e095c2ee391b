"""The files of the Grafana dashboards: Grafana would accept every panel, no panel covers another, every value has a unit, and every
metric of the catalogue is shown. tests/e2e/grafana_test.py checks the values that they show."""
import json
import re
import subprocess
import sys
import unittest
from itertools import combinations
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "compose/grafana/dashboards"
PANEL_TYPES = {"stat", "timeseries", "table", "heatmap", "state-timeline", "row"}
UNITS = {"none", "short", "s", "bytes", "Bps", "eps", "percentunit"}
SCREEN_ROWS = 22  # of the grid: what a screen of 1080 lines shows without scrolling
BUILT_IN = {"__interval", "__rate_interval", "__range"}


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def overlap(one, other):
    return (one["x"] < other["x"] + other["w"] and other["x"] < one["x"] + one["w"]
            and one["y"] < other["y"] + other["h"] and other["y"] < one["y"] + one["h"])


class Dashboards(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dashboards = {path.name: load(path) for path in sorted(FOLDER.glob("*.json"))}

    def each_panel(self, check):
        """All of both but the headings."""
        for name, dashboard in self.dashboards.items():
            for panel in dashboard["panels"]:
                if panel["type"] != "row":
                    with self.subTest(f"{name}: {panel['title']}"):
                        check(panel)

    def test_they_are_what_their_script_writes(self):
        shown = subprocess.run([sys.executable, "-B", ROOT / "scripts/dashboards.py", "--check"], capture_output=True, text=True, check=False)
        self.assertEqual((0, ""), (shown.returncode, shown.stderr))

    def test_there_are_two_with_names_and_addresses_of_their_own(self):
        self.assertEqual({"mdpipe.json", "mdpipe-digging.json"}, set(self.dashboards))
        for key in ("uid", "title"):
            self.assertEqual(2, len({dashboard[key] for dashboard in self.dashboards.values()}))
        for dashboard in self.dashboards.values():
            self.assertEqual(39, dashboard["schemaVersion"])  # Grafana 11's
            self.assertLessEqual(len(dashboard["uid"]), 40)

    def test_panels_have_a_number_and_a_place_of_their_own(self):
        for dashboard in self.dashboards.values():
            panels = dashboard["panels"]
            self.assertEqual(len(panels), len({panel["id"] for panel in panels}))
            self.assertEqual(len(panels), len({panel["title"] for panel in panels}))
            for panel in panels:
                place = panel["gridPos"]
                self.assertTrue(place["x"] >= 0 and place["w"] > 0 and place["h"] > 0 and place["x"] + place["w"] <= 24, panel["title"])
            for one, other in combinations(panels, 2):
                self.assertFalse(overlap(one["gridPos"], other["gridPos"]), f"{one['title']} and {other['title']}")

    def test_the_overview_fits_on_a_screen(self):
        places = [panel["gridPos"] for panel in self.dashboards["mdpipe.json"]["panels"]]
        self.assertLessEqual(max(place["y"] + place["h"] for place in places), SCREEN_ROWS)
        self.assertEqual(24 * max(place["y"] + place["h"] for place in places), sum(place["w"] * place["h"] for place in places), "a hole")

    def test_panels_say_what_they_mean_in_which_unit_and_when_it_is_bad(self):
        self.each_panel(self.check_field_config)

    def check_field_config(self, panel):
        self.assertIn(panel["type"], PANEL_TYPES)
        self.assertGreater(len(panel["description"]), 15)
        defaults = panel["fieldConfig"]["defaults"]
        self.assertTrue(defaults["unit"] in UNITS or defaults["unit"].startswith("suffix:"), defaults["unit"])
        self.check_thresholds(defaults["thresholds"])
        for override in panel["fieldConfig"]["overrides"]:
            self.assertIn(override["matcher"]["id"], ("byFrameRefID", "byName"))
            for entry in override["properties"]:
                if entry["id"] == "thresholds":
                    self.check_thresholds(entry["value"])

    def check_thresholds(self, thresholds):
        self.assertEqual("absolute", thresholds["mode"])
        values = [step["value"] for step in thresholds["steps"]]
        self.assertIsNone(values[0])
        self.assertEqual(sorted(values[1:]), values[1:])

    def test_overrides_are_of_queries_and_columns_that_exist(self):
        self.each_panel(self.check_overrides)

    def check_overrides(self, panel):
        names = {target["refId"] for target in panel["targets"]}
        for transformation in panel.get("transformations", []):
            names |= set(transformation["options"].get("renameByName", {}).values())
        self.assertLessEqual({override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}, names)

    def test_queries_have_a_source_a_letter_and_a_legend(self):
        self.each_panel(self.check_targets)

    def check_targets(self, panel):
        self.assertGreater(len(panel["targets"]), 0)
        self.assertEqual(len(panel["targets"]), len({target["refId"] for target in panel["targets"]}))
        for target in panel["targets"]:
            self.assertEqual({"type": "prometheus", "uid": "${datasource}"}, target["datasource"])
            self.assertTrue(target["legendFormat"])
            self.assertNotEqual(target["instant"], target["range"])
            self.assertEqual({"table": "table", "heatmap": "heatmap"}.get(panel["type"], "time_series"), target["format"])

    def test_variables_are_used_and_what_is_used_is_a_variable(self):
        for dashboard in self.dashboards.values():
            variables = {variable["name"] for variable in dashboard["templating"]["list"]}
            text = json.dumps([dashboard["panels"], [variable.get("query") for variable in dashboard["templating"]["list"]]])
            used = set(re.findall(r"\$\{?([a-z_]\w*)", text))
            self.assertEqual(variables, used - BUILT_IN)
            for variable in dashboard["templating"]["list"][1:]:
                self.assertTrue(variable["multi"] and variable["includeAll"] and variable["allValue"])

    def test_links_lead_to_the_other(self):
        addresses = {f"/d/{dashboard['uid']}" for dashboard in self.dashboards.values()}
        for dashboard in self.dashboards.values():
            self.assertEqual(addresses - {f"/d/{dashboard['uid']}"}, {link["url"] for link in dashboard["links"]})

    def test_every_metric_of_the_catalogue_is_shown(self):
        catalogue = re.findall(r'Metric::\w+,\s*"(\w+)",\s*Kind::', (ROOT / "libshared/metrics/catalogue.hpp").read_text())
        self.assertGreater(len(catalogue), 40)
        text = json.dumps([dashboard["panels"] for dashboard in self.dashboards.values()])
        self.assertEqual([], [name for name in catalogue if not re.search(rf"\b{name}(_bucket)?\b", text)])


if __name__ == "__main__":
    unittest.main()
