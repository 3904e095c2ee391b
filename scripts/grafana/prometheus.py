"""Runs the queries of a dashboard in a Prometheus as Grafana would: replaces the variables, and evaluates each query at the
moment or over the span that its panel shows. Standard library only."""

import json
import math
import re
import urllib.error
import urllib.parse
import urllib.request

TIMEOUT_S = 20
LABEL_VALUES = re.compile(r"label_values\((?:(?P<series>.+),\s*)?(?P<label>\w+)\)")
NICE_STEPS_S = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)


class QueryError(Exception):
    """Prometheus could not answer; the text contains the query."""


class Series:
    """Labels, and points (time, value) in the order of time; one point if the query was for a moment."""

    def __init__(self, labels, points):
        self.labels = labels
        self.points = points

    @property
    def last(self):
        return self.points[-1][1]

    def named(self, legend):
        return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: self.labels.get(found[1], ""), legend).strip()


class View:
    """The span that a dashboard shows, how many points fit on a panel, and the values chosen in its variables: lists of
    values, or nothing for All."""

    def __init__(self, start, end, scrape_interval_s=5, points_max=600, chosen=None):
        self.start, self.end = start, end
        self.scrape_interval_s = scrape_interval_s
        self.chosen = chosen or {}
        wanted = (end - start) / points_max
        step = next((nice for nice in NICE_STEPS_S if nice >= wanted), NICE_STEPS_S[-1])
        self.step_s = max(step, scrape_interval_s)

    def fill_in(self, text, variables):
        """`variables`: those of the dashboard."""
        # Grafana's __rate_interval: at least four scrapes, so that two remain to compare if one is missed.
        rate_interval = max(self.step_s + self.scrape_interval_s, 4 * self.scrape_interval_s)
        values = {"__interval": f"{self.step_s}s", "__rate_interval": f"{rate_interval}s", "__range": f"{math.ceil(self.end - self.start)}s"}
        for variable in variables:
            if variable["type"] == "query":
                values[variable["name"]] = self._pattern(variable)
        return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found: values.get(found[1] or found[2], found[0]), text)

    def _pattern(self, variable):
        chosen = self.chosen.get(variable["name"])
        if not chosen:
            return variable["allValue"]
        escaped = [re.sub(r"([\\^$.*+?()\[\]{}|/])", r"\\\\\1", value) for value in chosen]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


class Prometheus:
    def __init__(self, url):
        self.url = url.rstrip("/")

    def get(self, path, **parameters):
        query = urllib.parse.urlencode(parameters, doseq=True)
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=TIMEOUT_S) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            raise QueryError(f"{parameters}: {error.read().decode(errors='replace')}") from None
        except OSError as error:
            raise QueryError(f"{self.url}: {error}") from None

    def now(self, expr, at):
        data = self.get("query", query=expr, time=at)["result"]
        return [Series(found["metric"], [(found["value"][0], float(found["value"][1]))]) for found in data]

    def over(self, expr, view):
        start, end = (math.floor(time / view.step_s) * view.step_s for time in (view.start, view.end))
        data = self.get("query_range", query=expr, start=start, end=end, step=view.step_s)["result"]
        return [Series(found["metric"], [(time, float(value)) for time, value in found["values"]]) for found in data]

    def target(self, target, view, variables):
        expr = view.fill_in(target["expr"], variables)
        return self.now(expr, view.end) if target["instant"] else self.over(expr, view)

    def values_of(self, variable, view, variables):
        """The values that a variable of the dashboard offers."""
        found = LABEL_VALUES.fullmatch(view.fill_in(variable["query"]["query"], variables))
        matching = {"match[]": found["series"]} if found["series"] else {}
        return self.get(f"label/{found['label']}/values", start=view.start, end=view.end, **matching)
