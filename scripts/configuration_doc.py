#!/usr/bin/env python3
"""Writes docs/configuration.md to standard output from the output of the programs:
scripts/configuration_doc.py WS-READER MD-PUBLISHER METRICS-AGENT EXCHANGE-SIM MDPIPE-KEYGEN > docs/configuration.md"""
import os
import re
import subprocess
import sys

HEAD = """# Configuration

Each option is a command-line flag, an environment variable, and a key of the TOML file named by `--config`. A flag takes precedence over the
environment, and the environment over the file. An unknown key is an error. `--check-config` prints the values in effect with their
origin; secrets are masked.

Write times as `1500ms`, `10s` or `5m`, sizes as `65536`, `64KiB` or `16MiB`, and lists as `A,B` (in TOML also as `["A", "B"]`).

If an option can change while the program runs, its description says so: SIGHUP (`systemctl reload`) reads the file again.

Under systemd, the files are `/etc/mdpipe/NAME.toml` for `ws-reader@NAME`, `/etc/mdpipe/md-publisher.toml` and
`/etc/mdpipe/metrics-agent.toml`; examples are in [examples/](../examples). Put the password of Redis into the file of
`redis_password_file` or into systemd's credential `redis_password`.

This page is generated from `--help` by `scripts/configuration_doc.py`, and a test keeps it current.
"""


def escape(text):
    return text.replace("|", "\\|")


def options(help_text):
    """Yields (section, flag, help, choices, env, key, default) of each option that can be configured."""
    section = ""
    lines = help_text.splitlines()
    for number, line in enumerate(lines):
        heading = re.fullmatch(r"(\S.*):", line)
        if heading:
            section = heading.group(1)
        flag = re.fullmatch(r"  (--[a-z0-9-]+)=.*", line)
        if not flag:
            continue
        details = []
        for detail in lines[number + 1:]:
            if not detail.startswith("      "):
                break
            details.append(detail.strip())
        last = re.fullmatch(r"env (\S+), key (\S+), default (.*)", details[-1])
        if not last:
            continue  # --config and its like
        choices = [text[len("one of: "):] for text in details[:-1] if text.startswith("one of: ")]
        meaning = " ".join(text for text in details[:-1] if not text.startswith("one of: "))
        yield (section, flag.group(1), meaning, choices, *last.groups())


def table(program):
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}
    environment.update({key: value for key, value in os.environ.items() if key.endswith("SAN_OPTIONS")})
    text = subprocess.run([program, "--help"], check=True, capture_output=True, text=True, env=environment).stdout
    out = [f"\n## {os.path.basename(program)}\n"]
    shown = None
    for section, flag, meaning, choices, env, key, default in options(text):
        if section != shown:
            out += [f"\n### {section}\n", "| flag | environment | key | default | meaning |", "| --- | --- | --- | --- | --- |"]
            shown = section
        if choices:
            meaning += f" One of: {choices[0]}."
        out.append(f"| `{flag}` | `{env}` | `{key}` | {escape(default)} | {escape(meaning)} |")
    return "\n".join(out) + "\n"


def main():
    sys.stdout.write(HEAD + "".join(table(program) for program in sys.argv[1:]))


if __name__ == "__main__":
    main()
