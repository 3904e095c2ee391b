#!/usr/bin/python3
"""Writes the Grafana dashboards of compose/ from their description in scripts/grafana/. --check writes nothing and says
whether what is there is what would be written.

    scripts/dashboards.py [--check]
"""

import json
import sys
from pathlib import Path

from grafana import digging, overview

FOLDER = Path(__file__).resolve().parents[1] / "compose/grafana/dashboards"
FILES = {"mdpipe.json": overview, "mdpipe-digging.json": digging}


def main(arguments):
    if arguments not in ([], ["--check"]):
        print("usage: dashboards.py [--check]", file=sys.stderr)
        return 64
    rc = 0
    for name, description in FILES.items():
        text = json.dumps(description.made(), indent=1) + "\n"
        path = FOLDER / name
        if not arguments:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{path.name} is not what scripts/dashboards.py writes: run it", file=sys.stderr)
            rc = 1
    return rc


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
