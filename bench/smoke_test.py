#!/usr/bin/python3
"""The benchmark works: each collector writes a small feed to Redis, nothing is lost, delays are measured, and a report is
made. No figure is judged."""

import json
import os
import tempfile
import unittest
import xml.dom.minidom

import plots
import report
from agent import describe_agent, run_agent
from contenders import Limit, Mdpipe, NodeCollector, baseline_from
from machine import describe_machine
from measure import Work, run

BUILD = os.environ["MDPIPE_BIN_DIR"]
FRAMES = 2000


def work(**more):
    """More time than needed, so that the number of frames ends the run."""
    return Work(count=FRAMES, seconds=30, symbols=3, **more)


class SmokeTest(unittest.TestCase):
    def check(self, figures):
        self.assertEqual(figures["frames"], FRAMES)
        self.assertEqual(sum(figures["added"].values()), FRAMES, figures["added"])
        self.assertTrue(figures["complete"], figures["lost"])
        self.assertGreater(figures["cpu_own"], 0)

    def test_mdpipe_loses_nothing_and_its_delay_is_seen(self):
        figures = run(Mdpipe, work(rate=1000), BUILD)
        self.check(figures)
        self.assertLessEqual(figures["delay_ms"]["p50"], figures["delay_ms"]["p99"])
        self.assertGreater(figures["delay_ms"]["p50"], 0)

    def test_limit_loses_nothing(self):
        self.check(run(Limit, work(rate=2000), BUILD))

    def test_two_builds_are_compared_round_by_round(self):
        runs = [run(contender, work(rate=2000), BUILD) | {"label": "2,000/s", "round": 0} for contender in (Mdpipe, baseline_from(BUILD))]
        self.assertEqual([figures["contender"] for figures in runs], ["mdpipe", "baseline"])
        runs.append({**runs[1], "rate": runs[0]["rate"] * 2, "round": 1})
        runs.append({**runs[0], "round": 1})
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "main.json"), "w", encoding="utf-8") as file:
                json.dump({"mode": "main", "quick": True, "time": "now", "machine": describe_machine(), "runs": runs}, file)
            rate_row = next(line for line in report.text(folder).splitlines() if "| events/s" in line and "2,000/s" in line)
        self.assertIn("(0.500..", rate_row)  # half of the baseline's rate in the second round

    def test_limit_reads_frames_larger_than_its_buffer(self):
        figures = run(Limit, Work(count=30, seconds=30, rate=40, frame_bytes=1000000, maxlen_books=20), BUILD)
        self.assertTrue(figures["complete"], figures["lost"])

    @unittest.skipUnless(NodeCollector.is_there(), "node or its packages are not here; bench/run.sh installs them")
    def test_node_loses_nothing(self):
        self.check(run(NodeCollector, work(rate=2000), BUILD))

    def test_pages_of_the_agent_are_timed(self):
        figures = run_agent(BUILD, seconds=0.1, pages=1, symbols=3, rate=1000) | {"label": "1,000 symbols"}
        self.assertGreater(figures["cpu_share"], 0)
        self.assertGreater(min(page["series"] for page in figures["pages"].values()), 50)
        self.assertIn("OpenMetrics", describe_agent(figures))
        with tempfile.TemporaryDirectory() as folder:
            runs = [figures, {**figures, "label": "20,000 series"}]
            with open(os.path.join(folder, "agent.json"), "w", encoding="utf-8") as file:
                json.dump({"mode": "agent", "quick": True, "time": "now", "machine": describe_machine(), "runs": runs}, file)
            self.assertIn("| 20,000 series | text, gzip", report.text(folder))

    def test_a_report_comes_of_results(self):
        labelled = [run(Limit, work(rate=rate), BUILD) | {"label": label, "round": 0}
                    for label, rate in (("flat out", 0), ("5,000/s", 5000))]
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "main.json"), "w", encoding="utf-8") as file:
                json.dump({"mode": "main", "quick": True, "time": "now", "machine": describe_machine(), "runs": labelled}, file)
            self.assertIn("| flat out | limit", report.text(folder))
            drawn = report.all_plots(folder)
            self.assertTrue(drawn)
            for _, name, svg in drawn:
                self.assertEqual(xml.dom.minidom.parseString(svg).documentElement.tagName, "svg", name)


class DocsTest(unittest.TestCase):
    """The page keeps what was not measured this time."""
    PAGE = f"""# Performance

{report.BEGIN}

| machine | |
| ------- | - |
| Kernel  | old |

### Measured against the targets

| target | measured (medians) | met |
| ------ | ------------------ | --- |
| idle below 0.1 % of a core each | ws-reader 9.000 % | no |
| start to READY below 100 ms | ws-reader 7 ms | yes |

### From start to READY

Measured in spring.

### Each stage alone

Measured in autumn.

{report.END}

behind it
"""

    def written(self, mode, runs):
        with tempfile.TemporaryDirectory() as folder:
            page = os.path.join(folder, "performance.md")
            with open(page, "w", encoding="utf-8") as file:
                file.write(self.PAGE)
            if mode:
                with open(os.path.join(folder, f"{mode}.json"), "w", encoding="utf-8") as file:
                    json.dump({"mode": mode, "quick": True, "time": "in winter", "machine": {"Kernel": "new"}, "runs": runs}, file)
            report.write_docs(folder, folder)
            with open(page, encoding="utf-8") as file:
                return file.read()

    def test_a_section_that_was_measured_is_replaced_alone(self):
        page = self.written("idle", [{"label": "idle", "contender": "mdpipe", "cpu_share": {"ws-reader": 0.0005}}])
        self.assertIn("| idle below 0.1 % of a core each | ws-reader 0.050 %  | yes |", page)
        self.assertIn("| start to READY below 100 ms     | ws-reader 7 ms     | yes |", page)
        titles = [line for line in page.splitlines() if line.startswith("### ")]
        self.assertEqual(titles, ["### Measured against the targets", "### From start to READY", "### Without data", "### Each stage alone"])
        for kept in ("Measured in spring.", "Measured in winter with --quick.", "Measured in autumn.", "behind it", "new"):
            self.assertIn(kept, page)
        self.assertNotIn("old", page)

    def test_no_results_change_nothing_that_was_measured(self):
        page = self.written(None, [])
        for kept in ("Measured in spring.", "Measured in autumn.", "ws-reader 9.000 %", "old", "behind it"):
            self.assertIn(kept, page)


class ScaleTest(unittest.TestCase):
    def test_ticks_are_round_and_cover_the_values(self):
        self.assertEqual(plots.scale(0, 47, 0, 100).ticks, [0, 10, 20, 30, 40, 50])
        self.assertEqual(plots.scale(0.3, 200, 0, 100, log=True).ticks, [0.1, 1, 10, 100, 1000])


if __name__ == "__main__":
    unittest.main()
