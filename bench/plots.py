"""Plots as SVG files: bars in groups and lines, no more. Standard library only; the same figures give the same bytes."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 50, 55
COLOURS = {"mdpipe": "#2f6db3", "node": "#d1812a", "limit": "#7a7a7a"}
SPARE_COLOURS = ("#4b9a5f", "#9a5fa8", "#b5483f", "#50a3a8", "#9a8f3c", "#555577")


class Axis:
    """A linear or logarithmic scale from values to pixels, with its ticks."""

    def __init__(self, low, high, pixel_low, pixel_high, log=False):
        self.log = log
        if log:
            self.low, self.high = 10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high))
            if self.low == self.high:
                self.high *= 10
        else:
            step = self._step(high - low)
            self.low, self.high = math.floor(low / step) * step, math.ceil(high / step) * step
        self.pixel_low, self.pixel_high = pixel_low, pixel_high

    @staticmethod
    def _step(span):
        """A round step that makes about five of the span."""
        raw = (span or 1) / 5
        power = 10 ** math.floor(math.log10(raw))
        return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)

    def ticks(self):
        if self.log:
            return [10.0 ** p for p in range(round(math.log10(self.low)), round(math.log10(self.high)) + 1)]
        step = self._step(self.high - self.low)
        return [self.low + i * step for i in range(round((self.high - self.low) / step) + 1)]

    def pixel(self, value):
        if self.log:
            share = (math.log10(max(value, self.low)) - math.log10(self.low)) / (math.log10(self.high) - math.log10(self.low))
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.pixel_low + share * (self.pixel_high - self.pixel_low)


def number_text(value):
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def colour(name, index):
    return COLOURS.get(name, SPARE_COLOURS[index % len(SPARE_COLOURS)])


def text(x, y, content, anchor="middle", size=12, weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-family="sans-serif" font-size="{size}" '
            f'font-weight="{weight}" fill="#333">{escape(content)}</text>')


def frame(title, y_axis, y_label):
    """What all plots have: title, horizontal lines and their numbers."""
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           text(LEFT, 22, title, "start", weight="bold"),
           text(LEFT - 50, TOP - 10, y_label, "start")]
    for tick in y_axis.ticks():
        y = y_axis.pixel(tick)
        out.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>')
        out.append(text(LEFT - 8, y + 4, number_text(tick), "end"))
    return out


def legend(names):
    out, x = [], WIDTH - RIGHT
    for index, name in reversed(list(enumerate(names))):
        x -= 7 * len(name) + 28
        out.append(f'<rect x="{x}" y="{TOP - 20}" width="11" height="11" fill="{colour(name, index)}"/>')
        out.append(text(x + 16, TOP - 10, name, "start"))
    return out


def bars(title, y_label, groups, series, log=False):
    """series: {name: [(value, low, high) or None, one a group]}; low and high are drawn as a whisker."""
    values = [part for points in series.values() for point in points if point for part in point]
    axis = Axis(min(v for v in values if v > 0) if log else 0, max(values), HEIGHT - BOTTOM, TOP, log)
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
            out.append(f'<rect x="{x + 1:.1f}" y="{y:.1f}" width="{width - 2:.1f}" height="{HEIGHT - BOTTOM - y:.1f}" '
                       f'fill="{colour(name, s)}"/>')
            centre = x + width / 2
            out.append(f'<line x1="{centre:.1f}" y1="{axis.pixel(low):.1f}" x2="{centre:.1f}" y2="{axis.pixel(high):.1f}" '
                       'stroke="#222"/>')
            out.append(text(centre, min(y, axis.pixel(high)) - 4, number_text(value), size=10))
    return "\n".join(out + ["</svg>", ""])


def lines(title, x_label, y_label, series, log_y=False, log_x=False, marks=True):
    """series: {name: [(x, y)]}"""
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    y_axis = Axis(min(y for y in ys if y > 0) if log_y else 0, max(ys), HEIGHT - BOTTOM, TOP, log_y)
    x_axis = Axis(min(xs) if log_x else 0, max(xs), LEFT, WIDTH - RIGHT, log_x)
    out = frame(title, y_axis, y_label) + legend(series)
    for tick in x_axis.ticks():
        out.append(text(x_axis.pixel(tick), HEIGHT - BOTTOM + 20, number_text(tick)))
    out.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x_label))
    for index, (name, points) in enumerate(series.items()):
        path = " ".join(f"{x_axis.pixel(x):.1f},{y_axis.pixel(y):.1f}" for x, y in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour(name, index)}" stroke-width="2"/>')
        if marks:
            out += [f'<circle cx="{x_axis.pixel(x):.1f}" cy="{y_axis.pixel(y):.1f}" r="3" fill="{colour(name, index)}"/>'
                    for x, y in points]
    return "\n".join(out + ["</svg>", ""])
