"""Plots as SVG files: bars in groups, and lines. Standard library only; the same figures give the same bytes."""

import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "scripts"))
import svg  # noqa: E402

WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 50, 55
INK, GRID, WHISKER = "#333", "#ddd", "#222"
COLOURS = {"mdpipe": "#2f6db3", "node": "#d1812a", "limit": "#7a7a7a"}
SPARE_COLOURS = ("#4b9a5f", "#9a5fa8", "#b5483f", "#50a3a8", "#9a8f3c", "#555577")


def number_text(value):
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def colour(name, index):
    return COLOURS.get(name, SPARE_COLOURS[index % len(SPARE_COLOURS)])


def scale(low, high, pixel_low, pixel_high, log=False):
    return svg.Scale(low, high, pixel_low, pixel_high, logarithmic=log, ticks=5)


def text(x, y, content, anchor="middle", size=12, weight=None):
    return svg.text(x, y, content, size, INK, anchor, weight)


def frame(title, y_axis, y_label):
    """What all plots have: title, horizontal lines and their numbers."""
    out = [text(LEFT, 22, title, "start", weight="bold"), text(LEFT - 50, TOP - 10, y_label, "start")]
    for tick in y_axis.ticks:
        y = y_axis.pixel(tick)
        out.append(svg.line(LEFT, y, WIDTH - RIGHT, y, GRID))
        out.append(text(LEFT - 8, y + 4, number_text(tick), "end"))
    return out


def legend(names):
    out, x = [], WIDTH - RIGHT
    for index, name in reversed(list(enumerate(names))):
        x -= 7 * len(name) + 28
        out.append(svg.rect(x, TOP - 20, 11, 11, colour(name, index)))
        out.append(text(x + 16, TOP - 10, name, "start"))
    return out


def bars(title, y_label, groups, series, log=False):
    """series: {name: [(value, low, high) or None, one a group]}; low and high are drawn as a whisker."""
    values = [part for points in series.values() for point in points if point for part in point]
    axis = scale(min(v for v in values if v > 0) if log else 0, max(values), HEIGHT - BOTTOM, TOP, log)
    out = frame(title, axis, y_label) + legend(series)
    slot = (WIDTH - LEFT - RIGHT) / len(groups)
    width = min(60.0, slot * 0.8 / len(series))
    for g, group in enumerate(groups):
        middle = LEFT + slot * (g + 0.5)
        out.append(text(middle, HEIGHT - BOTTOM + 20, group))
        for s, (name, points) in enumerate(series.items()):
            if points[g] is None:
                continue
            value, low, high = points[g]
            x = middle + (s - len(series) / 2) * width
            y = axis.pixel(value)
            out.append(svg.rect(x + 1, y, width - 2, HEIGHT - BOTTOM - y, colour(name, s)))
            centre = x + width / 2
            out.append(svg.line(centre, axis.pixel(low), centre, axis.pixel(high), WHISKER))
            out.append(text(centre, min(y, axis.pixel(high)) - 4, number_text(value), size=10))
    return svg.document(WIDTH, HEIGHT, title, out)


def lines(title, x_label, y_label, series, log_y=False, log_x=False, marks=True):
    """series: {name: [(x, y)]}"""
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    y_axis = scale(min(y for y in ys if y > 0) if log_y else 0, max(ys), HEIGHT - BOTTOM, TOP, log_y)
    x_axis = scale(min(xs) if log_x else 0, max(xs), LEFT, WIDTH - RIGHT, log_x)
    out = frame(title, y_axis, y_label) + legend(series)
    for tick in x_axis.ticks:
        out.append(text(x_axis.pixel(tick), HEIGHT - BOTTOM + 20, number_text(tick)))
    out.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x_label))
    for index, (name, points) in enumerate(series.items()):
        pixels = [(x_axis.pixel(x), y_axis.pixel(y)) for x, y in points]
        out.append(svg.curve(pixels, colour(name, index), width=2))
        if marks:
            out += [svg.circle(x, y, 3, colour(name, index)) for x, y in pixels]
    return svg.document(WIDTH, HEIGHT, title, out)
