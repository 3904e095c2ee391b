#!/usr/bin/python3
"""Draws what a dashboard shows as one SVG file: its own queries, asked of a Prometheus.

    scripts/dashboard_picture.py compose/grafana/dashboards/mdpipe.json --prometheus=http://127.0.0.1:9090 > picture.svg
"""

import argparse
import sys
import time

from grafana import picture
from grafana.prometheus import Prometheus, QueryError, View


def main(arguments):
    parser = argparse.ArgumentParser(description="Draws what a Grafana dashboard of mdpipe shows, as SVG on standard output.")
    parser.add_argument("dashboard", help="the dashboard's JSON file")
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", metavar="URL")
    parser.add_argument("--from", dest="start", type=float, metavar="TIME", help="Unix time; 15 minutes before the end by default")
    parser.add_argument("--to", dest="end", type=float, metavar="TIME", help="Unix time; now by default")
    parser.add_argument("--scrape-interval", type=int, default=5, metavar="SECONDS", help="of the Prometheus")
    options = parser.parse_args(arguments)
    end = options.end or time.time()
    view = View(options.start or end - 900, end, options.scrape_interval)
    try:
        sys.stdout.write(picture.draw(options.dashboard, Prometheus(options.prometheus), view))
    except QueryError as error:
        print(f"dashboard_picture.py: {error}", file=sys.stderr)
        return 69
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
