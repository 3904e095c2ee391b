#!/usr/bin/env python3
"""scripts/new_exchange.py NAME: writes the adapter of docs/adding-an-exchange.md, its tests and its frames into this tree, as those of an
exchange NAME. With --into FOLDER it writes them there instead, and the events that the page shows into events.txt: the test of the page
is built from that."""
import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GUIDE = ROOT / "docs/adding-an-exchange.md"
BLOCK = re.compile(r"<!-- (file|events): (.+?) -->\n```\w+\n(.*?)^```$", re.M | re.S)


def renamed(text, name):
    """The text with NAME for example and Name for Example; example.org stays, because it is a reserved name."""
    return re.sub(r"example(?!\.org)", name, text).replace("Example", name.capitalize())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--into", metavar="FOLDER", type=Path)
    arguments = parser.parse_args()
    if not re.fullmatch(r"[a-z][a-z0-9]*", arguments.name):
        parser.error(f"'{arguments.name}' is not lower-case letters and digits, beginning with a letter")

    top = arguments.into or ROOT
    files, events = {}, None
    for kind, of, text in BLOCK.findall(GUIDE.read_text(encoding="utf-8")):
        if kind == "file":
            # A frame has no line end; the tests cut it at every byte, and each cut must be rejected.
            files[top / renamed(of, arguments.name)] = renamed(text if of.endswith(".cpp") else text.rstrip("\n"), arguments.name)
        else:
            events = f"{of}\n{text}"
    if not files or events is None:
        sys.exit(f"error: {GUIDE} has no code")
    if arguments.into:
        files[top / "events.txt"] = events
    elif existing := [path for path in files if path.exists()]:
        sys.exit(f"error: {existing[0].relative_to(ROOT)} exists already; nothing was written")

    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if not arguments.into:
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
