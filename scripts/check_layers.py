#!/usr/bin/env python3
"""Checks that folders of the product depend on each other in one direction only.

usage: check_layers.py [--graph] [ROOT]

A folder depends on another one if one of its files includes a header of the other one. The rules:
  - libshared/ includes nothing of a program, and a program includes nothing of another program;
  - a folder inside a program does not include a header from the program's own top folder, which wires the folders together;
  - no circle: if a folder depends on a second one, directly or through others, the second one does not depend on the first.
Each broken rule is printed with the files that break it; the exit code is then 1. --graph prints the folders and what they depend on.
"""
import argparse
import collections
import pathlib
import re
import sys

PROGRAMS = ("ws-reader", "md-publisher", "metrics-agent")
SHARED = "libshared"
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def read_graph(root):
    """{folder: {folder it depends on: ["file includes header", ...]}}"""
    graph = collections.defaultdict(lambda: collections.defaultdict(list))
    for top in (SHARED, *PROGRAMS):
        for source in sorted((root / top).rglob("*.[ch]pp")):
            folder = source.parent.relative_to(root).as_posix()
            graph[folder]  # adds the folder, even if it depends on nothing
            for header in INCLUDE.findall(source.read_text(encoding="utf-8")):
                other = pathlib.PurePosixPath(header).parent.as_posix()
                if other != folder and other.split("/")[0] in (SHARED, *PROGRAMS):
                    graph[folder][other].append(f"{source.relative_to(root)} includes {header}")
    return graph


def foreign_includes(graph):
    for folder, others in graph.items():
        top = folder.split("/")[0]
        for other, files in others.items():
            if other.split("/")[0] not in (top, SHARED):
                yield f"{top}/ must not know {other.split('/')[0]}/", files


def upward_includes(graph):
    for folder, others in graph.items():
        top = folder.split("/")[0]
        if top in PROGRAMS and folder != top and top in others:
            yield f"{folder}/ must not include headers of {top}/ itself, which wires the folders together", others[top]


def circles(graph):
    """The strongly connected sets of more than one folder."""
    reached = {folder: set() for folder in graph}

    def reach(start):
        waiting = list(graph[start])
        while waiting:
            folder = waiting.pop()
            if folder not in reached[start] and folder in graph:
                reached[start].add(folder)
                waiting.extend(graph[folder])

    for folder in list(graph):
        reach(folder)
    seen = set()
    for folder in sorted(graph):
        circle = {other for other in reached[folder] if folder in reached[other]}
        if folder in seen or len(circle) < 2:
            continue
        seen |= circle
        files = [file for a in sorted(circle) for b in sorted(circle) for file in graph[a].get(b, [])]
        yield f"these folders depend on each other in a circle: {', '.join(sorted(circle))}", files


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", action="store_true", help="print the folders and what they depend on")
    parser.add_argument("root", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    arguments = parser.parse_args()
    graph = read_graph(arguments.root)
    if not graph:
        sys.exit(f"{arguments.root} has none of the folders {SHARED}, {', '.join(PROGRAMS)}")
    if arguments.graph:
        for folder in sorted(graph):
            print(f"{folder}: {', '.join(sorted(graph[folder])) or '-'}")
    problems = [*foreign_includes(graph), *upward_includes(graph), *circles(graph)]
    for rule, files in problems:
        print(rule)
        for file in files:
            print(f"    {file}")
    if problems:
        sys.exit(1)
    if not arguments.graph:
        print(f"{len(graph)} folders depend on each other in one direction only")


if __name__ == "__main__":
    main()
