"""One function for each kind of panel: draws the answers to its queries into a box."""

import math
import time

import svg
from svg import Box, Scale

from . import theme
from .looks import Look
from .theme import INK, LINE, MUTED

LEGEND_ROW = 15
TIME_STEPS_S = (15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600)


class Answer:
    """A series of a panel, with the name, look and colour that it has there."""

    def __init__(self, panel, target, series, index):
        self.ref_id = target["refId"]
        self.look = Look(panel, self.ref_id)
        self.name = series.named(target["legendFormat"])
        self.labels = series.labels
        self.points = [(at, value) for at, value in series.points if math.isfinite(value)]
        self.last = series.last
        self.colour = self.look.series_colour(index)


class Nothing:
    """What a stat shows if its query found nothing."""

    def __init__(self, panel, target):
        self.look = Look(panel, target["refId"])
        self.name = target["legendFormat"]
        self.last = None


# Single values.

def draw_stat(panel, answers, box, _view):
    options = panel["options"]
    shown = answers or [Nothing(panel, panel["targets"][0])]
    cells = _cells(box, len(shown), beneath=options["orientation"] == "horizontal")
    texts = [answer.look.text_and_colour(answer.last) for answer in shown]
    named = options["textMode"] in ("value_and_name", "auto") and (len(shown) > 1 or options["textMode"] == "value_and_name")
    if options["textMode"] == "name":
        texts = [(answer.name, colour) for answer, (_, colour) in zip(shown, texts)]
    size = min(_fitting_size(text, cell, named) for cell, (text, _) in zip(cells, texts))
    out = []
    for answer, cell, (text, colour) in zip(shown, cells, texts):
        out += _stat_cell(answer.name if named else "", text, colour, cell, size, options["colorMode"] == "background")
    return out


def _cells(box, count, beneath):
    gap = 3 if beneath else 6
    width, height = (box.width - gap * (count - 1)) / count, (box.height - gap * (count - 1)) / count
    if beneath:
        return [Box(box.x, box.y + index * (height + gap), box.width, height) for index in range(count)]
    return [Box(box.x + index * (width + gap), box.y, width, box.height) for index in range(count)]


def _fitting_size(text, cell, named):
    height = cell.height * (0.46 if named else 0.72 if cell.height < 30 else 0.6)
    return max(10, min(32, height, (cell.width - 8) / (max(len(text), 3) * svg.BOLD_EM)))


def _stat_cell(name, text, colour, cell, size, background):
    middle = cell.x + cell.width / 2
    out = [svg.rect(cell.x, cell.y, cell.width, cell.height, colour, 3)] if background else []
    ink, quiet = ("#fff", "#fff") if background else (colour, MUTED)
    centre = cell.y + cell.height / 2
    if name:
        small = max(9, min(11, (cell.width - 6) / (len(name) * svg.CHARACTER_EM)))
        out.append(svg.text(middle, centre - size * 0.5 - 2, svg.cut(name, cell.width, small), small, quiet, "middle"))
        centre += 8
    out.append(svg.text(middle, centre + size * 0.36, svg.cut(text, cell.width, size), size, ink, "middle", 600))
    return out


# Curves and bars over time.

def draw_timeseries(panel, answers, box, view):
    legend_rows, legend = _legend(panel, answers, box)
    plot = box.inside(left=_axis_width(panel), top=4, right=8, bottom=22 + legend_rows * LEGEND_ROW)
    stacks = _stacked(panel, answers, view)
    scale = _value_scale(panel, answers, stacks, plot)
    times = _time_scale(view, plot)
    out = _value_axis(panel, scale, plot) + _time_axis(view, times, plot) + _threshold_lines(panel, scale, plot)
    for answer, layers in stacks:
        out += _shape(panel, answer, layers, scale, times, view)
    return out + legend


def _axis_width(panel):
    return 58 if panel["fieldConfig"]["defaults"]["unit"] in ("eps", "Bps", "bytes", "s") else 44


def _is_stacked(answer):
    return answer.look.custom["stacking"]["mode"] == "normal"


def _stacked(panel, answers, view):
    """[(answer, [(time, from, to)])]: each stacked series begins where the one below it ends."""
    floor, out = {}, []
    for answer in answers:
        layers = []
        for at, value in answer.points:
            below = floor.get((answer.look.custom["drawStyle"], at), 0.0) if _is_stacked(answer) else 0.0
            layers.append((at, below, below + value))
            if _is_stacked(answer):
                floor[answer.look.custom["drawStyle"], at] = below + value
        out.append((answer, layers))
    return out


def _value_scale(panel, answers, stacks, plot):
    values = [high for _, layers in stacks for _, _, high in layers]
    custom = panel["fieldConfig"]["defaults"]["custom"]
    if custom["scaleDistribution"]["type"] == "log":
        positive = [value for value in values if value > 0] or [1]
        return Scale(min(positive), max(positive), plot.bottom, plot.y, logarithmic=True)
    low = min([*values, panel["fieldConfig"]["defaults"].get("min", 0)])
    high = max([*values, 0]) or 1
    if panel["fieldConfig"]["defaults"]["unit"] in ("short", "none"):
        high = max(high, 4)
    return Scale(low, high * 1.04, plot.bottom, plot.y, base=2 if panel["fieldConfig"]["defaults"]["unit"] == "bytes" else 10)


def _value_axis(panel, scale, plot):
    look, out = Look(panel), []
    for tick in scale.ticks:
        y = scale.pixel(tick)
        out.append(svg.line(plot.x, y, plot.right, y, LINE))
        out.append(svg.text(plot.x - 6, y + 3.5, look.unit_text(tick), 10.5, MUTED, "end"))
    return out


def _time_scale(view, plot):
    scale = Scale(0, 1, plot.x, plot.right)
    scale.low, scale.high = view.start, view.end
    return scale


def _time_axis(view, times, plot):
    step = next((nice for nice in TIME_STEPS_S if nice >= (view.end - view.start) / (plot.width / 62)), 43_200)
    out, at = [], math.ceil(view.start / step) * step
    form = "%H:%M:%S" if step < 60 else "%H:%M"
    while at <= view.end:
        x = times.pixel(at)
        if plot.x + 14 <= x <= plot.right - 10:
            out.append(svg.line(x, plot.y, x, plot.bottom, LINE))
            out.append(svg.text(x, plot.bottom + 14, time.strftime(form, time.gmtime(at)), 10.5, MUTED, "middle"))
        at += step
    return out


def _threshold_lines(panel, scale, plot):
    defaults = panel["fieldConfig"]["defaults"]
    if defaults["custom"].get("thresholdsStyle", {}).get("mode", "off") == "off":
        return []
    return [svg.line(plot.x, scale.pixel(step["value"]), plot.right, scale.pixel(step["value"]), theme.colour(step["color"]), "6 4")
            for step in defaults["thresholds"]["steps"] if step["value"] is not None and scale.low < step["value"] <= scale.high]


def _shape(panel, answer, layers, scale, times, view):
    custom = answer.look.custom
    if custom["drawStyle"] == "bars":
        width = max(1.5, (times.pixel(view.step_s) - times.pixel(0)) * 0.75)
        return [svg.rect(times.pixel(at) - width / 2, scale.pixel(high), width, scale.pixel(low) - scale.pixel(high), answer.colour, opacity=0.85)
                for at, low, high in layers if high > low]
    out = []
    for piece in _pieces(layers, view.step_s):
        upper = [(times.pixel(at), scale.pixel(high)) for at, _, high in piece]
        if custom["fillOpacity"] and not scale.logarithmic:
            lower = [(times.pixel(at), scale.pixel(low)) for at, low, _ in piece]
            if any(high > low for _, low, high in piece):
                out.append(svg.area(upper, lower, answer.colour, custom["fillOpacity"] / 100))
        if custom["lineWidth"]:
            out.append(svg.curve(_thinned(upper), answer.colour, "6 4" if custom.get("lineStyle", {}).get("fill") == "dash" else None))
    return out


def _pieces(layers, step_s):
    """The layers in pieces: a piece ends where points are missing."""
    pieces = []
    for layer in layers:
        if pieces and layer[0] - pieces[-1][-1][0] <= step_s * 1.5:
            pieces[-1].append(layer)
        else:
            pieces.append([layer])
    return pieces


def _thinned(points):
    """The points without those inside a level stretch."""
    return [point for index, point in enumerate(points)
            if index in (0, len(points) - 1) or not points[index - 1][1] == point[1] == points[index + 1][1]]


def _legend(panel, answers, box):
    """(rows, shapes) at the bottom of the box."""
    calcs = panel["options"]["legend"].get("calcs", [])
    entries = [(answer.colour, f"{answer.name}  {_calculated(answer, calcs)}") for answer in answers]
    rows, x = [[]], 0
    for fill, text in entries:
        width = 16 + svg.text_width(text, 11) + 8
        if rows[-1] and x + width > box.width:
            rows.append([])
            x = 0
        rows[-1].append((x, fill, svg.cut(text, box.width - 16, 11)))
        x += width
    rows = rows[:6]
    out = []
    for index, row in enumerate(rows):
        y = box.bottom - (len(rows) - index) * LEGEND_ROW + 10
        for left, fill, text in row:
            out += [svg.rect(box.x + left, y - 5, 11, 3, fill, 1), svg.text(box.x + left + 16, y, text, 11)]
    return len(rows), out


def _calculated(answer, calcs):
    values = [value for _, value in answer.points] or [math.nan]
    found = {"lastNotNull": values[-1], "max": max(values), "sum": sum(values), "mean": sum(values) / len(values)}
    words = {"lastNotNull": "", "max": "max ", "sum": "", "mean": "mean "}
    return ", ".join(words[calc] + answer.look.unit_text(found[calc]) for calc in calcs)


# States over time, histograms over time.

def draw_timeline(panel, answers, box, view):
    width = min(190, max(svg.text_width(answer.name, 11) for answer in answers) + 8)
    states = panel["fieldConfig"]["defaults"]["mappings"][0]["options"].values()
    plot = box.inside(left=width, top=2, right=8, bottom=22 + LEGEND_ROW)
    times = _time_scale(view, plot)
    out = _time_axis(view, times, plot)
    height = plot.height / len(answers)
    for index, answer in enumerate(answers):
        y = plot.y + index * height
        out.append(svg.text(plot.x - 6, y + height / 2 + 4, svg.cut(answer.name, width - 6, 11), 11, INK, "end"))
        for begin, end, value in _spans(answer.points, view.step_s):
            left, right = times.pixel(max(begin, view.start)), times.pixel(min(end, view.end))
            if right > left:
                out.append(svg.rect(left, y + height * 0.1, right - left, height * 0.8, answer.look.text_and_colour(value)[1], opacity=0.8))
    x = box.x
    for state in states:
        out += [svg.rect(x, box.bottom - 11, 9, 9, theme.colour(state["color"]), 1), svg.text(x + 14, box.bottom - 3, state["text"], 11)]
        x += 14 + svg.text_width(state["text"], 11) + 14
    return out


def _spans(points, step_s):
    """(from, to, value) for each stretch of one value."""
    spans = []
    for at, value in points:
        if spans and spans[-1][2] == value and at - spans[-1][1] <= step_s * 0.5:
            spans[-1][1] = at + step_s
        else:
            spans.append([at, at + step_s, value])
    return spans


def draw_heatmap(_panel, answers, box, view):
    plot = box.inside(left=58, top=4, right=8, bottom=22)
    times = _time_scale(view, plot)
    buckets = sorted(answers, key=lambda answer: float(answer.labels["le"]))
    counts, below = [], {}
    for bucket in buckets:  # a bucket counts the observations of the smaller ones too
        counts.append({at: value - below.get(at, 0) for at, value in bucket.points})
        below = dict(bucket.points)
    used = [index for index, bucket in enumerate(counts) if any(value > 0 for value in bucket.values())]
    if not used:
        return []
    first, last = used[0], used[-1]
    most = max(value for bucket in counts for value in bucket.values())
    height, width = plot.height / (last - first + 1), times.pixel(view.step_s) - times.pixel(0)
    out = _time_axis(view, times, plot)
    for index in range(first, last + 1):
        y = plot.bottom - (index - first + 1) * height
        out.append(svg.text(plot.x - 6, y + 4, buckets[index].look.unit_text(float(buckets[index].labels["le"])), 10.5, MUTED, "end"))
        for at, value in counts[index].items():
            if value > 0 and times.pixel(at) + width <= plot.right + 1:
                out.append(svg.rect(times.pixel(at), y, width - 0.4, height - 0.4, "#1f60c4", opacity=round(0.08 + 0.9 * math.sqrt(value / most), 2)))
    return out


# Tables.

def draw_table(panel, answers, box, _view):
    """A row for each combination of labels, a column for each query, sorted as the panel says."""
    columns = [override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]]
    by_query = dict(zip((target["refId"] for target in panel["targets"]), columns))
    rows, names = {}, []
    for answer in answers:
        key = tuple(sorted(answer.labels.items()))
        names = [name for name, _ in key]
        rows.setdefault(key, {})[by_query[answer.ref_id]] = answer.last
    sort_by = panel["options"]["sortBy"][0]["displayName"]
    ordered = sorted(rows.items(), key=lambda row: -row[1].get(sort_by, -math.inf))
    width, height = box.width / (len(names) + len(columns)), 22
    out = []
    for index, name in enumerate([*names, *columns]):
        out.append(svg.text(box.x + index * width + 4, box.y + 12, name, 11, theme.COLOURS["blue"], weight=600))
    for number, (key, values) in enumerate(ordered[:max(1, int((box.height - 20) / height))]):
        y = box.y + 20 + number * height
        out.append(svg.line(box.x, y, box.right, y, LINE))
        out += [svg.text(box.x + index * width + 4, y + 15, svg.cut(value, width, 11.5), 11.5) for index, (_, value) in enumerate(key)]
        for index, column in enumerate(columns):
            out += _table_cell(Look(panel, column=column), values.get(column), Box(box.x + (len(names) + index) * width, y, width, height))
    return out


def _table_cell(look, value, cell):
    if value is None:
        return []
    text, colour = look.text_and_colour(value)
    if look.custom.get("cellOptions", {}).get("type") == "color-background":
        return [svg.rect(cell.x, cell.y + 1, cell.width, cell.height - 2, colour, 2), svg.text(cell.x + 4, cell.y + 15, text, 11.5, "#fff")]
    return [svg.text(cell.x + 4, cell.y + 15, text, 11.5, colour)]


DRAWINGS = {"stat": draw_stat, "timeseries": draw_timeseries, "state-timeline": draw_timeline, "heatmap": draw_heatmap, "table": draw_table}
