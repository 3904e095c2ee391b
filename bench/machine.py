"""The machine that the figures were measured on."""

import os
import platform
import subprocess


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip().splitlines()[0]
    except (OSError, IndexError):
        return "not there"


def cpu_model():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def memory_gib():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)


def distribution():
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "unknown"


def busy_seconds():
    """Processor time that the whole machine has used so far, and the time that its host took away (steal)."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def describe_machine():
    return {"Processor": f"{cpu_model()}, {os.cpu_count()} cores", "Memory": f"{memory_gib():.1f} GiB",
            "Kernel": f"{platform.system()} {platform.release()}", "System": distribution(),
            "Redis": first_line("redis-server", "--version").replace("Redis server ", ""),
            "Node": first_line("node", "--version"), "Compiler": first_line("g++", "--version")}
