"""Draws a dashboard: runs its queries in a Prometheus and draws each panel at its place in the grid."""

import json
import time
from pathlib import Path

import svg
from svg import Box

from .drawings import DRAWINGS, Answer
from .theme import FONT, INK, LINE, MUTED, PAGE, PANEL

WIDTH = 1240
MARGIN = 12
COLUMNS = 24
ROW_HEIGHT = 36
GAP = 8
HEADER = 52


def draw(dashboard_path, api, view):
    """The SVG's text. `api`: a Prometheus of prometheus.py; `view`: the span and what was chosen in the variables."""
    dashboard = json.loads(Path(dashboard_path).read_text(encoding="utf-8"))
    variables = dashboard["templating"]["list"]
    height = HEADER + ROW_HEIGHT * max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"]) + MARGIN
    out = _header(dashboard, view)
    for panel in dashboard["panels"]:
        out += _panel(panel, _answers(panel, api, view, variables), view)
    return svg.document(WIDTH, height, dashboard["title"], out, FONT, PAGE, radius=6)


def _header(dashboard, view):
    out = [svg.text(MARGIN + 4, 33, dashboard["title"], 19, INK, weight=600)]
    clock = [time.strftime("%H:%M:%S", time.gmtime(at)) for at in (view.start, view.end)]
    x = WIDTH - MARGIN
    chosen = [(variable["label"], ", ".join(view.chosen.get(variable["name"]) or ["All"]))
              for variable in dashboard["templating"]["list"] if variable["type"] == "query"]
    for name, value in [*chosen, ("", f"{clock[0]} to {clock[1]} UTC")][::-1]:
        width = svg.text_width(value, 12) + 20 + (svg.text_width(name, 12) + 10 if name else 0)
        x -= width
        out += [svg.rect(x, 14, width, 26, PANEL, 3, "#d5d9de"), svg.text(x + width - 10, 31, value, 12, INK, "end")]
        out += [svg.text(x + 10, 31, name, 12, MUTED)] if name else []
        x -= GAP
    return out


def _answers(panel, api, view, variables):
    answers = []
    for target in panel.get("targets", []):
        for series in sorted(api.target(target, view, variables), key=lambda found: sorted(found.labels.items())):
            answers.append(Answer(panel, target, series, len(answers)))
    return answers


def _place(place):
    cell = (WIDTH - 2 * MARGIN + GAP) / COLUMNS
    return Box(MARGIN + place["x"] * cell, HEADER + place["y"] * ROW_HEIGHT, place["w"] * cell - GAP, place["h"] * ROW_HEIGHT - GAP)


def _panel(panel, answers, view):
    box = _place(panel["gridPos"])
    if panel["type"] == "row":
        return [svg.text(box.x + 4, box.bottom - 8, panel["title"], 15, INK, weight=600)]
    out = [svg.rect(box.x, box.y, box.width, box.height, PANEL, 4, LINE),
           svg.text(box.x + 10, box.y + 18, svg.cut(panel["title"], box.width - 16, 13), 13, INK, weight=600)]
    return out + DRAWINGS[panel["type"]](panel, answers, box.inside(10, 26, 10, 8), view)
