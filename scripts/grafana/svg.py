"""Shapes, texts, colours and scales for pictures of dashboards, as SVG. The same input gives the same bytes."""

import math
from xml.sax.saxutils import escape

FONT = "Inter, 'Helvetica Neue', Helvetica, Arial, sans-serif"
CHARACTER_EM = 0.56  # what a character of such a font takes on average
BOLD_EM = 0.7  # and of a bold one at most, so that it stays inside of its box whatever font is there
INK, MUTED, LINE, PANEL, PAGE = "#24292f", "#6a737d", "#e4e7eb", "#ffffff", "#f0f2f5"
# Grafana's names, in the tones of its light theme.
COLOURS = {"green": "#3f9b4b", "light-green": "#73bf69", "super-light-green": "#a5d6a0", "orange": "#e8850c", "yellow": "#e5b700", "red": "#d6303f",
           "blue": "#3274d9", "light-blue": "#73a9f0", "dark-blue": "#1f4fa8", "purple": "#8f3bb8", "light-purple": "#c49be0",
           "dark-purple": "#6d2f91", "text": INK}
SERIES = ("#3274d9", "#e8850c", "#3f9b4b", "#8f3bb8", "#0d9aa5", "#c2417c", "#8a7a1f", "#52657a", "#d6303f", "#6aa84f", "#7c6ad6", "#a0522d")


def colour(name):
    return COLOURS.get(name, name)


def number(value):
    """A coordinate, to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def text_width(content, size):
    return len(content) * size * CHARACTER_EM


def cut(content, width, size):
    """As much of it as fits."""
    fits = max(1, int(width / (size * CHARACTER_EM)))
    return content if len(content) <= fits else content[:max(1, fits - 1)].rstrip() + "…"


def text(x, y, content, size=12, fill=INK, anchor="start", weight=None):
    bold = f' font-weight="{weight}"' if weight else ""
    side = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{number(x)}" y="{number(y)}" font-size="{number(size)}" fill="{fill}"{side}{bold}>{escape(content)}</text>'


def rect(x, y, width, height, fill, radius=0, stroke=None, opacity=1):
    extra = (f' rx="{radius}"' if radius else "") + (f' stroke="{stroke}"' if stroke else "") + (f' fill-opacity="{opacity}"' if opacity < 1 else "")
    return f'<rect x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}" fill="{fill}"{extra}/>'


def line(x1, y1, x2, y2, stroke, dash=None, width=1):
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (f'<line x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}" stroke="{stroke}" '
            f'stroke-width="{width}"{dashes}/>')


def path(points):
    return "".join(f"{'L' if index else 'M'}{number(x)} {number(y)}" for index, (x, y) in enumerate(points))


def curve(points, stroke, dash=None):
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="{path(points)}" fill="none" stroke="{stroke}" stroke-width="1.6" stroke-linejoin="round"{dashes}/>'


def area(upper, lower, fill, opacity):
    return f'<path d="{path(upper + lower[::-1])}Z" fill="{fill}" fill-opacity="{opacity}"/>'


class Box:
    """A rectangle to draw in."""

    def __init__(self, x, y, width, height):
        self.x, self.y, self.width, self.height = x, y, width, height

    @property
    def right(self):
        return self.x + self.width

    @property
    def bottom(self):
        return self.y + self.height

    def inside(self, left=0, top=0, right=0, bottom=0):
        return Box(self.x + left, self.y + top, self.width - left - right, self.height - top - bottom)


class Scale:
    """From values to pixels, with round ticks."""

    def __init__(self, low, high, pixel_low, pixel_high, logarithmic=False, base=10, ticks=4):
        self.logarithmic = logarithmic
        if logarithmic:
            self.low, self.high = 10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high))
            if self.low == self.high:
                self.high *= 10
            self.ticks = [10.0 ** power for power in range(round(math.log10(self.low)), round(math.log10(self.high)) + 1)]
        else:
            step = self.round_step((high - low or 1) / ticks, base)
            self.low, self.high = math.floor(low / step) * step, math.ceil(high / step - 1e-9) * step or step
            self.ticks = [self.low + index * step for index in range(round((self.high - self.low) / step) + 1)]
        self.pixel_low, self.pixel_high = pixel_low, pixel_high

    @staticmethod
    def round_step(wanted, base):
        power = base ** math.floor(math.log(wanted, base))
        factors = (1, 2, 5, 10) if base == 10 else tuple(2 ** exponent for exponent in range(11))
        return next(factor * power for factor in factors if factor * power >= wanted * 0.999)

    def pixel(self, value):
        if self.logarithmic:
            share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.pixel_low + share * (self.pixel_high - self.pixel_low)
