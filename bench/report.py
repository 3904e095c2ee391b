"""Makes tables and plots of the results folder: text for the terminal, a block of docs/performance.md, SVG files."""

import json
import os
import re
import statistics

import plots

MIB = 1 << 20
NAMES = ("mdpipe", "baseline", "node", "limit")
OWN = ("ws-reader", "md-publisher", "metrics-agent", "node", "limit")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
TARGETS = "Measured against the targets"
TITLES = {"main": "Rate, cost, delay, memory", "start": "From start to READY", "idle": "Without data",
          "memory": "Memory at 1,000 symbols, 5,000 frames a second", "metrics": "What metrics cost", "symbols": "By number of symbols",
          "depth": "By depth of the books", "burst": "Bursts and very large frames", "agent": "metrics-agent with its destinations",
          "micro": "Each stage alone"}


class Results:
    """One mode's runs, looked up by label and contender."""

    def __init__(self, folder, mode):
        self.data = None
        path = os.path.join(folder, f"{mode}.json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                self.data = json.load(file)

    def __bool__(self):
        return self.data is not None

    def runs(self, label=None, contender=None):
        return [run for run in self.data["runs"] if label in (None, run["label"]) and contender in (None, run.get("contender"))]

    def labels(self):
        return list(dict.fromkeys(run["label"] for run in self.data["runs"]))

    def contenders(self):
        present = {run["contender"] for run in self.data["runs"]}
        return [name for name in NAMES if name in present]

    def spread(self, label, contender, value):
        """(median, least, largest) of value(run) over the rounds, or None."""
        found = [value(run) for run in self.runs(label, contender)]
        found = [each for each in found if each is not None]
        return (statistics.median(found), min(found), max(found)) if found else None


def delay(name):
    return lambda run: run["delay_ms"][name] if "delay_ms" in run else None


def cell(spread, digits=2):
    if spread is None:
        return "-"
    middle, low, high = (f"{value:,.{digits}f}" for value in spread)
    return middle if low == high else f"{middle} ({low}..{high})"


def table(head, rows):
    """Markdown, padded so that it reads as text too."""
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]

    def line(row):
        return "| " + " | ".join(str(part).ljust(width) for part, width in zip(row, widths)) + " |"
    return "\n".join([line(head), "| " + " | ".join("-" * width for width in widths) + " |", *map(line, rows)])


def lost_text(results, label, contender):
    """Of all rounds."""
    lost = sum(abs(count) for run in results.runs(label, contender) for count in run["lost"].values())
    return "none" if lost == 0 else f"{lost:,}"


def overview(results):
    rows = []
    for label in results.labels():
        for name in results.contenders():
            def of(value, digits, label=label, name=name):
                return cell(results.spread(label, name, value), digits)
            rows.append([label, name, of(lambda r: r["rate"], 0), lost_text(results, label, name), of(lambda r: r["cpu_own"], 2),
                         of(delay("p50"), 3), of(delay("p99"), 2), of(delay("p999"), 2), of(lambda r: r["memory_own"] / MIB, 1)])
    return table(["work", "collector", "events/s in Redis", "lost", "CPU s per million events", "delay p50 ms", "p99 ms", "p99.9 ms",
                  "peak memory MiB"], rows)


COMPARED = (("events/s", lambda r: r["rate"]), ("CPU s per million events", lambda r: r["cpu_own"]), ("delay p50", delay("p50")),
            ("delay p99", delay("p99")), ("peak memory", lambda r: r["memory_own"]))


def beside_baseline(results):
    """mdpipe divided by the baseline, both of the same round, because other load on the machine affects both."""
    rows = []
    for label in results.labels():
        pairs = list(zip(results.runs(label, "mdpipe"), results.runs(label, "baseline")))
        for name, value in COMPARED:
            ratios = [value(now) / value(then) for now, then in pairs if value(now) and value(then)]
            if ratios:
                rows.append([label, name, cell((statistics.median(ratios), min(ratios), max(ratios)), 3)])
    return table(["work", "figure", "this build / baseline"], rows)


def processes(results, names=NAMES):
    """Processor seconds per million events and peak memory of each process."""
    rows = []
    for label in results.labels():
        for name in results.contenders():
            if name not in names:
                continue
            run = results.runs(label, name)[0]
            parts = [p for p in run["cpu_per_million"] if p not in ("feed", "watch")]
            rows.append([label, name, ", ".join(
                f"{p} {results.spread(label, name, lambda r, p=p: r['cpu_per_million'][p])[0]:.2f}" for p in parts), ", ".join(
                f"{p} {results.spread(label, name, lambda r, p=p: r['memory_max'][p] / MIB)[0]:.1f}" for p in parts)])
    return table(["work", "collector", "CPU s per million events, by process", "peak memory MiB, by process"], rows)


def median(results, label, contender, value):
    spread = results.spread(label, contender, value)
    return spread[0] if spread else None


def targets_of_main(results):
    """[(target, measured, met)]; None if one side of it was not measured."""
    def rate(name, label="flat out"):
        return median(results, label, name, lambda r: r["rate"])

    def cpu(name):
        return median(results, "flat out", name, lambda r: r["cpu_own"])

    def ms(name, label, quantile):
        return median(results, label, name, delay(quantile))
    rows = []

    def add(target, values, text, met):
        if all(value is not None for value in values):
            rows.append((target, text(*values), met(*values)))
    add("flat out at least 5 x the Node collector", (rate("mdpipe"), rate("node")), lambda a, b: f"{a / b:.2f} x",
        lambda a, b: a >= 5 * b)
    add("at most 1/10 of its processor time per event", (cpu("mdpipe"), cpu("node")), lambda a, b: f"1/{b / a:.1f}",
        lambda a, b: 10 * a <= b)
    add("at least half of the limit program's rate", (rate("mdpipe"), rate("limit")), lambda a, b: f"{a / b:.2f}",
        lambda a, b: 2 * a >= b)
    add("at most 4 CPU s per million events", (cpu("mdpipe"),), lambda a: f"{a:.2f}", lambda a: a <= 4)
    add("median delay at 5,000/s at most the Node collector's at 1,000/s",
        (ms("mdpipe", "5,000/s", "p50"), ms("node", "1,000/s", "p50")), lambda a, b: f"{a:.3f} against {b:.3f} ms", lambda a, b: a <= b)
    add("p99 at 5,000/s at most 1 ms beyond the limit program's", (ms("mdpipe", "5,000/s", "p99"), ms("limit", "5,000/s", "p99")),
        lambda a, b: f"{a:.2f} against {b:.2f} ms", lambda a, b: a <= b + 1)
    add("20,000/s without loss, p99 below 3 ms", (ms("mdpipe", "20,000/s", "p99"),),
        lambda a: f"{a:.2f} ms, lost {lost_text(results, '20,000/s', 'mdpipe')}",
        lambda a: a < 3 and lost_text(results, "20,000/s", "mdpipe") == "none")
    return rows


def target_rows(folder):
    """[[target, measured, met]] of what was measured."""
    rows = []
    if main := Results(folder, "main"):
        rows += targets_of_main(main)
    if memory := Results(folder, "memory"):
        run = memory.runs(contender="mdpipe")[-1]
        largest = {name: value / MIB for name, value in run["memory_max"].items() if name in OWN}
        rows.append(("below 16 MiB each at 1,000 symbols", ", ".join(f"{n} {v:.1f}" for n, v in largest.items()) + " MiB",
                     max(largest.values()) < 16))
    if start := Results(folder, "start"):
        times = {name: statistics.median(values) for name, values in start.runs()[0]["ms"].items()}
        rows.append(("start to READY below 100 ms", ", ".join(f"{n} {v:.0f}" for n, v in times.items()) + " ms", max(times.values()) < 100))
    if idle := Results(folder, "idle"):
        share = {n: 100 * v for n, v in idle.runs(contender="mdpipe")[0]["cpu_share"].items() if n in OWN}
        rows.append(("idle below 0.1 % of a core each", ", ".join(f"{n} {v:.3f}" for n, v in share.items()) + " %",
                     max(share.values()) < 0.1))
    if agent := Results(folder, "agent"):
        share = agent.runs("1,000 symbols")[0]["cpu_share"]
        rows.append(("metrics-agent below 1 % of a core at 1,000 symbols", f"{100 * share:.2f} %", share < 0.01))
        times = {form: statistics.median(page["ms"]) for form, page in agent.runs("20,000 series")[0]["pages"].items()}
        rows.append(("/metrics with 20,000 series below 100 ms", ", ".join(f"{f} {ms:.0f}" for f, ms in times.items()) + " ms",
                     max(times.values()) < 100))
    if metrics := Results(folder, "metrics"):
        on, off = (median(metrics, label, "mdpipe", lambda r: r["cpu_own"]) for label in ("metrics on", "metrics off"))
        rows.append(("metrics on costs at most 3 % over off", f"{100 * (on / off - 1):+.1f} % CPU", on <= 1.03 * off))
    return [[a, b, "yes" if c else "no"] for a, b, c in rows]


def targets_table(rows):
    return table(["target", "measured (medians)", "met"], rows)


def idle_table(results):
    return table(["collector", "share of a core, by process"],
                 [[run["contender"], ", ".join(f"{n} {100 * v:.3f} %" for n, v in run["cpu_share"].items() if n != "feed")]
                  for run in results.runs()])


def agent_table(results):
    share = table(["work", "share of a core", "peak memory MiB"],
                  [[run["label"], f"{100 * run['cpu_share']:.2f} %", f"{run['memory_max'] / MIB:.1f}"]
                   for run in results.runs() if run["cpu_share"] is not None])
    return share + "\n\n" + table(["work", "page", "series", "bytes", "median ms", "largest ms"], [
        [run["label"], form, f"{page['series']:,}", f"{page['bytes']:,}", f"{statistics.median(page['ms']):.1f}", f"{max(page['ms']):.1f}"]
        for run in results.runs() for form, page in run["pages"].items()])


def start_table(results):
    return table(["program", "median ms", "largest ms"],
                 [[name, f"{statistics.median(values):.1f}", f"{max(values):.1f}"] for name, values in results.runs()[0]["ms"].items()])


def micro_table(results):
    """Processor time for one event, message or page."""
    return table(["stage", "ns", "MB/s"],
                 [[run["label"].replace("_", " "), f"{run['ns']:,.0f}",
                   f"{run['bytes_per_second'] / 1e6:,.0f}" if run["bytes_per_second"] else "-"] for run in results.runs()])


def memory_table(results):
    """Resident memory in the last run: after the warm-up, half-way and at the end."""
    run = results.runs()[-1]
    samples = run["memory_curve"]
    chosen = [samples[min(len(samples) - 1, 4)], samples[len(samples) // 2], samples[-1]]
    rows = [[name, *(f"{sample[1][name] / MIB:.1f}" for sample in chosen), f"{run['memory_max'][name] / MIB:.1f}",
             f"{run['memory_anon'][name] / MIB:.1f}"] for name in run["memory_max"] if name in OWN]
    return table(["process", *(f"MiB after {sample[0]:.0f} s" for sample in chosen), "peak", "of which private (not files)"], rows)


def sections(folder):
    """[(mode, title, text)] of what was measured."""
    def main(results):
        parts = [overview(results), processes(results)]
        if "baseline" in results.contenders():
            parts.append(beside_baseline(results))
        return "\n\n".join(parts)

    make = {"main": main, "start": start_table, "idle": idle_table, "memory": memory_table,
            "metrics": lambda r: processes(r, ("mdpipe",)), "symbols": overview, "depth": overview,
            "burst": lambda r: overview(r) + "\n\n" + processes(r), "agent": agent_table, "micro": micro_table}
    found = ((mode, title, Results(folder, mode)) for mode, title in TITLES.items())
    return [(mode, title, make[mode](results)) for mode, title, results in found if results]


def text(folder):
    return "\n\n".join([f"{title}\n\n{body}" for _, title, body in sections(folder)] + [targets_table(target_rows(folder))])


def spreads(results, name, value):
    return [results.spread(label, name, value) for label in results.labels()]


def main_plots(results):
    names = results.contenders()
    paced = [label for label in results.labels() if label != "flat out"]
    yield "rate", plots.bars("Events into Redis, as fast as they are taken", "events/s", ["flat out"],
                             {name: [results.spread("flat out", name, lambda r: r["rate"])] for name in names})
    yield "cpu", plots.bars("Processor time of the collector's own processes", "s per million events", results.labels(),
                            {name: spreads(results, name, lambda r: r["cpu_own"]) for name in names}, log=True)
    for quantile, shown in (("p50", "median"), ("p99", "99th percentile")):
        yield f"delay-{quantile}", plots.bars(
            f"Delay from the feed's send to visible in Redis, {shown}", "ms", paced,
            {name: [results.spread(label, name, delay(quantile)) for label in paced] for name in names}, log=True)


def growth_plot(results, title, x_label):
    series = {name: [(int(label.split()[0].replace(",", "")), results.spread(label, name, lambda r: r["cpu_own"])[0])
                     for label in results.labels()] for name in results.contenders()}
    return plots.lines(title, x_label, "CPU s per million events", series, log_x=True, log_y=True)


def burst_plots(results):
    for label in results.labels():
        slug = re.sub(r"[^a-z0-9]+", "-", label.lower())
        last = {name: results.runs(label, name)[-1] for name in results.contenders()}
        curves = {name: [(s, max(largest, 0.01)) for s, _, largest in run["curve"]] for name, run in last.items() if "curve" in run}
        if curves:
            yield f"{slug}-delay", plots.lines(f"{label}: largest delay in each quarter of a second, from when a frame was due",
                                               "seconds", "ms", curves, log_y=True, marks=False)
        memory = {process: [(at, sizes[process] / MIB) for at, sizes in run["memory_curve"]]
                  for run in last.values() for process in run["memory_max"] if process in OWN}
        yield f"{slug}-memory", plots.lines(f"{label}: resident memory", "seconds", "MiB", memory, marks=False)


def memory_plot(results):
    run = results.runs()[-1]
    series = {p: [(at, sizes[p] / MIB) for at, sizes in run["memory_curve"]] for p in run["memory_max"] if p in OWN}
    return plots.lines("Resident memory at 1,000 symbols, 5,000 frames a second", "seconds", "MiB", series, marks=False)


def all_plots(folder):
    """[(mode, name, svg)]"""
    out = []
    if results := Results(folder, "main"):
        out += [("main", *plot) for plot in main_plots(results)]
    if results := Results(folder, "memory"):
        out.append(("memory", "memory", memory_plot(results)))
    if results := Results(folder, "symbols"):
        out.append(("symbols", "symbols", growth_plot(results, "Flat out, by number of symbols", "symbols")))
    if results := Results(folder, "depth"):
        out.append(("depth", "depth", growth_plot(results, "Flat out, by depth of the books", "levels a side")))
    if results := Results(folder, "burst"):
        out += [("burst", *plot) for plot in burst_plots(results)]
    return out


def circumstances(results):
    """When it was measured, and how busy the machine was; the benchmark's own bookkeeping is among the other programs."""
    data = results.data
    others = [run["others"] for run in data["runs"] if "others" in run]
    load = f"; other programs used {statistics.median(others):.2f} cores (median)" if others else ""
    return f"Measured {data['time']}{' with --quick' if data['quick'] else ''}{load}."


def machine_table(folder):
    for mode in ("main", "start", "idle", "micro"):
        if results := Results(folder, mode):
            return table(["machine", ""], list(results.data["machine"].items()))
    return ""


def sections_of(block):
    """{title: text} of the sections of the page; the machine has no title."""
    first, *rest = ("\n" + block.strip()).split("\n### ")
    return {"": first.strip()} | {title: body.strip() for title, _, body in (part.partition("\n") for part in rest)}


def merged_targets(old, new):
    """Rows of the page; what was measured now replaces the earlier rows."""
    kept = [[cell.strip() for cell in line.strip("|").split("|")] for line in old.splitlines()[2:]]
    fresh = {row[0]: row for row in new}
    rows = [fresh.pop(row[0], row) for row in kept]
    return targets_table(rows + list(fresh.values()))


def write_docs(folder, docs):
    """Writes docs/performance.md and its plots. What was not measured stays as it is, with its date."""
    plot_folder = os.path.join(docs, "performance")
    os.makedirs(plot_folder, exist_ok=True)
    made = all_plots(folder)
    for _, name, svg in made:
        with open(os.path.join(plot_folder, f"{name}.svg"), "w", encoding="utf-8") as file:
            file.write(svg)
    path = os.path.join(docs, "performance.md")
    with open(path, encoding="utf-8") as file:
        page = file.read()
    head, tail = page.split(BEGIN)[0], page.split(END)[1]
    found = sections_of(page.split(BEGIN)[1].split(END)[0])
    found[""] = machine_table(folder) or found[""]
    found[TARGETS] = merged_targets(found.get(TARGETS, ""), target_rows(folder))
    for mode, title, body in sections(folder):
        plots_of_mode = (f"![{name}](performance/{name}.svg)" for of, name, _ in made if of == mode)
        found[title] = "\n\n".join([circumstances(Results(folder, mode)), body, *plots_of_mode])
    parts = [found[""], *(f"### {title}\n\n{found[title]}" for title in (TARGETS, *TITLES.values()) if title in found)]
    with open(path, "w", encoding="utf-8") as file:
        file.write(head + BEGIN + "\n\n" + "\n\n".join(parts) + "\n\n" + END + tail)
