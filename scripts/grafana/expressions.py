"""Expressions that more than one panel needs.

Two properties of Prometheus explain their form. A counter that appears with its first event appears at 1, not at 0, so increase()
never sees that event; most counters of lost data are such counters. And a query that finds nothing draws "No data",
which looks like a fault although it means "none".
"""

# Zero while metrics-agent is scraped, nothing while it is not: a dead agent must not look like a healthy pipeline.
ZERO = "0 * max(collector_component_up)"
# Order book events that an exchange's recipe leaves out on purpose: a snapshot holds what they said (docs/books.md).
BY_RECIPE = "before_snapshot|stale_delta|stale_snapshot"
# How far back a series is looked for before it counts as new: outages of metrics-agent shorter than this change nothing.
KNOWN_FOR = "1h"
# Names are the stream's, and --stream-name may change what stands around the type.
MARKET_STREAMS = 'stream!~".*feed"'


def grown(series, span):
    """By how much each counter grew in the span; a counter that was not there before grew by all it has. Exact, in whole
    events. Where Prometheus knows less than the span, it is what was counted since the host started."""
    return f"({series} - last_over_time({series}[{KNOWN_FOR}] offset {span}) >= 0 or {series})"


def grown_lately(series, span):
    """The same for curves: what the first scrape of all finds is not news."""
    known = f"last_over_time(collector_component_up[{KNOWN_FOR}] offset {span})"
    return f"({series} - last_over_time({series}[{KNOWN_FOR}] offset {span}) >= 0 or {series} and on () {known})"


def total(expr):
    """The sum, 0 where there is nothing to add up."""
    return f"(sum({expr}) or {ZERO})"


def or_none(expr, label, text="none"):
    """The series, or one of 0 that is called `text`."""
    return f'{expr} or on () label_replace({ZERO}, "{label}", "{text}", "", "")'


def quantile(share, histogram, selector, by=""):
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}_bucket{{{selector}}}[$__rate_interval])))"
