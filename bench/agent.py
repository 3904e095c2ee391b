"""metrics-agent beside steady traffic: its share of a core with a scrape every 15 seconds, and how long a page takes."""

import gzip
import statistics
import time

from contenders import Mdpipe
from measure import PROMETHEUS, WARM_UP_SECONDS, Work, World

SCRAPE_SECONDS = 15.0  # the usual scrape_interval
PAGES = 20
# What switches on each of its destinations besides /metrics and the window log.
DESTINATIONS = ()
FORMS = {"OpenMetrics, gzip": PROMETHEUS, "OpenMetrics": {**PROMETHEUS, "Accept-Encoding": "identity"},
         "text, gzip": {"Accept-Encoding": "gzip"}, "text": {}}


def sample_count(page):
    return sum(1 for line in page.splitlines() if not line.startswith(b"#"))


def time_pages(world, pages):
    """{form: {"ms": [...], "bytes": sent, "series": samples on the page}}, the forms in turn"""
    out = {form: {"ms": []} for form in FORMS}
    for _ in range(pages):
        for form, headers in FORMS.items():
            page, took = world.scrape(headers)
            out[form]["ms"].append(took)
            out[form]["bytes"] = len(page)
            out[form]["series"] = sample_count(gzip.decompress(page) if "gzip" in form else page)
    return out


def share_of_a_core(world, seconds):
    """Of metrics-agent over a span of whole scrape intervals, each with its scrape."""
    before, began = world.cpu()["metrics-agent"], time.monotonic()
    while time.monotonic() - began < seconds:
        world.scrape()
        time.sleep(min(SCRAPE_SECONDS, seconds))
        world.check()
    return (world.cpu()["metrics-agent"] - before) / (time.monotonic() - began)


def run_agent(build, seconds, pages=PAGES, symbols=1000, rate=5000):
    work = Work(seconds=seconds + 600, rate=rate, symbols=symbols, watch=False, agent_flags=DESTINATIONS)
    with World(Mdpipe(build), work, build) as world:
        world.go()
        time.sleep(2 * WARM_UP_SECONDS)
        share = share_of_a_core(world, seconds) if seconds else None
        memory = world.memory()["metrics-agent"]["VmHWM"]
        return {"symbols": symbols, "seconds": seconds, "cpu_share": share, "memory_max": memory, "pages": time_pages(world, pages)}


def describe_agent(figures):
    lines = [f"metrics-agent {figures['symbols']:,} symbols"]
    if figures["cpu_share"] is not None:
        lines[0] += f"  {100 * figures['cpu_share']:.2f} % of a core  at most {figures['memory_max'] / (1 << 20):.1f} MiB"
    for form, page in figures["pages"].items():
        lines.append(f"  {form:18} {page['series']:7,} series {page['bytes']:10,} bytes  median {statistics.median(page['ms']):6.1f}"
                     f"  largest {max(page['ms']):6.1f} ms")
    return "\n".join(lines)
