"""Expressions that more than one panel needs.

Two properties of Prometheus explain their form. A counter that appears with its first event appears at 1, not at 0, so increase()
never sees that event; most counters of lost data are such counters. And a query that finds nothing draws "No data",
which looks like a fault although it means "none".
"""

# 0 while metrics-agent is scraped, otherwise nothing: a dead agent must not look like a healthy pipeline.
ZERO = "0 * max(collector_component_up)"
# Reasons of dropped events, as in libshared/metrics/drop_reason.hpp (docs/books.md). A snapshot contains these events:
BY_RECIPE = "before_snapshot|stale_delta|stale_snapshot"
# All order book events that are left out on purpose. Every other reason is a loss.
LEFT_OUT = BY_RECIPE + "|book_gap|crossed_book|wrong_mid_price|book_number|book_buffer"
# A series that did not exist in this span counts as new; so a shorter outage of metrics-agent changes nothing.
KNOWN_FOR = "1h"
# Names are the stream's, and --stream-name may change what stands around the type.
MARKET_STREAMS = 'stream!~".*feed"'


def grown(series, span):
    """By how much each counter grew in the span, exactly, in whole events; a counter that is new grew by its whole value.
    If Prometheus has less data than the span, this is the count since the host started."""
    return f"({series} - last_over_time({series}[{KNOWN_FOR}] offset {span}) >= 0 or {series})"


def grown_lately(series, span):
    """The same for curves: what the very first scrape finds does not count as growth."""
    known = f"last_over_time(collector_component_up[{KNOWN_FOR}] offset {span})"
    return f"({series} - last_over_time({series}[{KNOWN_FOR}] offset {span}) >= 0 or {series} and on () {known})"


def total(expr):
    """The sum; 0 if there is nothing to add up."""
    return f"(sum({expr}) or {ZERO})"


def or_none(expr, label, text="none"):
    """The series; if there are none, a series with the value 0 that is called `text`."""
    return f'{expr} or on () label_replace({ZERO}, "{label}", "{text}", "", "")'


def quantile(share, histogram, selector, by=""):
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}_bucket{{{selector}}}[$__rate_interval])))"
