"""Numbers as a panel shows them: three digits and a suitable unit."""

import math

DECIMAL = ((1e12, " T"), (1e9, " B"), (1e6, " M"), (1e3, " K"))
BINARY = ((2**40, " TiB"), (2**30, " GiB"), (2**20, " MiB"), (2**10, " KiB"), (1, " B"))
PER_SECOND = ((1e9, " GB/s"), (1e6, " MB/s"), (1e3, " kB/s"), (1, " B/s"))
SECONDS = ((86_400, " d"), (3600, " h"), (60, " min"), (1, " s"), (1e-3, " ms"), (1e-6, " µs"))


def digits(value, decimals=None):
    """Three significant digits without trailing zeros, or `decimals` digits after the point."""
    if decimals is None:
        decimals = 0 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value)) + 1e-9))
        text = f"{value:.{decimals}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.{decimals}f}"


def scaled(value, table, decimals, below=""):
    factor, suffix = next(((factor, suffix) for factor, suffix in table if abs(value) >= factor), (1, below))
    return digits(value / factor, decimals) + suffix


def shown(value, unit, decimals=None):
    if value is None or not math.isfinite(value):
        return "-"
    if unit.startswith("suffix:"):
        return digits(value, decimals or 0) + unit.removeprefix("suffix:")
    if unit == "percentunit":
        return digits(value * 100, decimals) + " %"
    if unit == "bytes":
        return scaled(value, BINARY, decimals, " B")
    if unit == "Bps":
        return scaled(value, PER_SECOND, decimals, " B/s")
    if unit == "s":
        return "0 s" if value == 0 else scaled(value, SECONDS, decimals, " s")
    if unit == "eps":
        return scaled(value, DECIMAL, decimals) + " evt/s"
    return scaled(value, DECIMAL, decimals)
