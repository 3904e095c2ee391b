"""Shapes, texts and scales for pictures as SVG: of dashboards (scripts/grafana) and of measurements (bench/plots.py). Standard library only;
the same input gives the same bytes."""

import math
from xml.sax.saxutils import escape

CHARACTER_EM = 0.56  # average width of a character of a sans-serif font
BOLD_EM = 0.7  # greatest width of a bold character, so that bold text fits into its box in any such font
INK = "#24292f"


def document(width, height, title, shapes, font="sans-serif", background="#ffffff", radius=0):
    """The text of the whole file."""
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
                      f'font-family="{font}">', f"<title>{escape(title)}</title>", rect(0, 0, width, height, background, radius),
                      *shapes, "</svg>", ""])


def number(value):
    """A coordinate, rounded to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def text_width(content, size):
    return len(content) * size * CHARACTER_EM


def cut(content, width, size):
    """As many characters of the text as fit."""
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


def curve(points, stroke, dash=None, width=1.6):
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="{path(points)}" fill="none" stroke="{stroke}" stroke-width="{width}" stroke-linejoin="round"{dashes}/>'


def circle(x, y, radius, fill):
    return f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(radius)}" fill="{fill}"/>'


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
