"""How a panel's fieldConfig shows a value: unit, text and colour, with the overrides for its query or column."""

import math

from . import theme
from .units import shown


class Look:
    def __init__(self, panel, ref_id=None, column=None):
        self.properties = dict(panel["fieldConfig"]["defaults"])
        self.custom = dict(self.properties.get("custom", {}))
        for override in panel["fieldConfig"]["overrides"]:
            matcher = override["matcher"]
            if (matcher["id"], matcher["options"]) in (("byFrameRefID", ref_id), ("byName", column)):
                self._take(override["properties"])

    def _take(self, properties):
        for entry in properties:
            if entry["id"].startswith("custom."):
                self.custom[entry["id"].removeprefix("custom.")] = entry["value"]
            else:
                self.properties[entry["id"]] = entry["value"]

    def unit_text(self, value):
        return shown(value, self.properties["unit"], self.properties.get("decimals"))

    def text_and_colour(self, value):
        """From a value mapping; if none fits, from the unit and the thresholds."""
        mapped = self._mapped(value)
        if mapped:
            return mapped["text"], theme.colour(mapped["color"])
        return self.unit_text(value), self.threshold_colour(value)

    def _mapped(self, value):
        nothing = value is None or math.isnan(value)
        for mapping in self.properties.get("mappings", []):
            options = mapping["options"]
            if mapping["type"] == "special" and nothing:
                return options["result"]
            if mapping["type"] == "value" and not nothing and f"{value:g}" in options:
                return options[f"{value:g}"]
            if mapping["type"] == "range" and not nothing and options["from"] <= value <= options["to"]:
                return options["result"]
        return None

    def threshold_colour(self, value):
        name = "text"
        for step in self.properties["thresholds"]["steps"]:
            if step["value"] is None or (value is not None and value >= step["value"]):
                name = step["color"]
        return theme.colour(name)

    def series_colour(self, index):
        wanted = self.properties.get("color", {})
        return theme.colour(wanted["fixedColor"]) if wanted.get("mode") == "fixed" else theme.SERIES[index % len(theme.SERIES)]
