"""The documents say what the programs do: options of --help against the man pages both ways, metrics of the catalogue against
docs/metrics.md both ways, docs/configuration.md against --help; and man itself prints no warning."""
import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {Path(path).name: path for path in os.environ["MDPIPE_PROGRAMS"].split(":")}


def help_options(program):
    text = subprocess.run([PROGRAMS[program], "--help"], check=True, capture_output=True, text=True).stdout
    return set(re.findall(r"^  (?:-h, )?--([a-z0-9-]+)", text, re.M))


def section_of(page, name):
    text = page.read_text().replace("\\-", "-")
    found = re.search(rf'^\.SH "?{name}"?\n(.*?)(?=^\.SH |\Z)', text, re.M | re.S)
    return found.group(1) if found else ""


def man_options(page):
    """Options that have an entry of their own: the line after .TP (or a .TQ) names them."""
    tags = re.findall(r"^\.T[PQ].*\n(.*)$", section_of(page, "OPTIONS"), re.M)
    return {option for tag in tags for option in re.findall(r"--([a-z0-9-]+)", tag)}


def catalogue_table():
    """The first part of docs/metrics.md: the metrics by their own names."""
    return (ROOT / "docs/metrics.md").read_text().split("\n## ")[0]


def catalogue():
    """{name: (kind, labels, help)} of every metric."""
    text = (ROOT / "libshared/metrics/catalogue.hpp").read_text()
    found = re.findall(r'MetricInfo\{\s*Metric::\w+,\s*"(\w+)",\s*Kind::(\w+),\s*\{(.*?)\},\s*((?:"[^"]*"\s*)+)\}', text, re.S)
    return {name: (kind, [label for label in re.findall(r'"([^"]*)"', labels) if label], "".join(re.findall(r'"([^"]*)"', parts)))
            for name, kind, labels, parts in found}


class ManPages(unittest.TestCase):
    def test_every_option_is_in_the_man_page_and_the_other_way_round(self):
        for program in PROGRAMS:
            with self.subTest(program):
                page = ROOT / f"docs/man/{program}.1"
                self.assertTrue(page.exists(), f"{page} is missing")
                self.assertEqual(help_options(program), man_options(page))

    def test_pages_have_all_sections(self):
        for program in PROGRAMS:
            for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "ENVIRONMENT", "EXIT STATUS", "SIGNALS", "EXAMPLES",
                            "SEE ALSO"):
                with self.subTest(f"{program} {section}"):
                    self.assertTrue(section_of(ROOT / f"docs/man/{program}.1", section).strip())

    def test_metrics_named_in_man_pages_exist(self):
        for page in (ROOT / "docs/man").glob("*.1"):
            with self.subTest(page.name):
                text = re.sub(r"\\f[BIR]", "", page.read_text())
                named = {name for name in re.findall(r"\b(?:collector|process)_[a-z_]+[a-z]\b", text)}
                self.assertEqual(set(), named - set(catalogue()))

    @unittest.skipUnless(shutil.which("man"), "man is not installed")
    def test_man_has_no_warning(self):
        for page in sorted((ROOT / "docs/man").iterdir()):
            with self.subTest(page.name):
                shown = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(page)], text=True,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                       env=dict(os.environ, MANWIDTH="100", LC_ALL="C.UTF-8"))
                self.assertEqual((0, ""), (shown.returncode, shown.stderr))


class Documents(unittest.TestCase):
    def test_metrics_page_lists_exactly_the_metrics_of_the_catalogue(self):
        rows = re.findall(r"^\| `(\w+)` \|", catalogue_table(), re.M)
        self.assertEqual(len(rows), len(set(rows)), "a metric is listed twice")
        self.assertEqual(set(catalogue()), set(rows))

    def test_metrics_page_and_man_page_explain_each_metric_as_the_catalogue_does(self):
        man = section_of(ROOT / "docs/man/metrics-agent.1", "METRICS")
        for name, (kind, labels, meaning) in catalogue().items():
            with self.subTest(name):
                shown = "gauge 0/1" if kind == "StateSet" else kind.lower()
                shown_labels = labels + ["state"] if kind == "StateSet" else labels
                self.assertIn(f"| `{name}` | {shown} | {', '.join(shown_labels)} | {meaning} |", catalogue_table())
                by = f" by {', '.join(shown_labels)}" if labels else ""
                self.assertIn(f".B {name}\n{shown.split()[0].capitalize()}{by}. {meaning}\n", man)

    def test_the_index_lists_every_document_and_decision(self):
        docs = ROOT / "docs"
        linked = set(re.findall(r"\]\(([\w./-]+\.md)\)", (docs / "README.md").read_text()))
        there = {str(path.relative_to(docs)) for path in [*docs.glob("*.md"), *docs.glob("adr/*.md")]}
        self.assertEqual(there - {"README.md"}, {link for link in linked if not link.startswith("..")})

    def test_configuration_page_is_current(self):
        made = subprocess.run([sys.executable, str(ROOT / "scripts/configuration_doc.py"), *PROGRAMS.values()], check=True,
                              capture_output=True, text=True).stdout
        self.assertEqual((ROOT / "docs/configuration.md").read_text(), made,
                         "run scripts/configuration_doc.py as its first lines say")


if __name__ == "__main__":
    unittest.main()
