"""The parts of a Grafana dashboard in the JSON of Grafana 11 (schemaVersion 39)."""

SCHEMA_VERSION = 39
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
GREEN, AMBER, RED, BLUE, GREY = "green", "orange", "red", "blue", "text"


class Query:
    """One query of a panel. The panel decides whether it is evaluated at a moment or over a span of time."""

    def __init__(self, expr, legend, unit=None, steps=None, colour=None, line=None):
        self.expr = " ".join(expr.split())
        self.legend = legend
        self.unit = unit  # this and the rest: if they differ from those of the panel
        self.steps = steps
        self.colour = colour
        self.line = line  # "dashed" or "bars"


def steps(*pairs):
    """Thresholds: steps(GREEN, 1, RED) is green below 1 and red from there."""
    found = [{"color": pairs[0], "value": None}]
    found += [{"color": colour, "value": value} for value, colour in zip(pairs[1::2], pairs[2::2])]
    return {"mode": "absolute", "steps": found}


def texts(**named):
    """Value mappings: a value is shown as a text in a colour. texts(up=(1, GREEN))"""
    return {"type": "value", "options": {str(value): {"text": text.replace("_", " "), "color": colour, "index": index}
                                         for index, (text, (value, colour)) in enumerate(named.items())}}


def text_between(low, high, text, colour):
    return {"type": "range", "options": {"from": low, "to": high, "result": {"text": text, "color": colour, "index": 8}}}


def text_of_nothing(text, colour):
    return {"type": "special", "options": {"match": "null+nan", "result": {"text": text, "color": colour, "index": 9}}}


UP_OR_DOWN = [texts(down=(0, RED), up=(1, GREEN))]


def _override(ref_id, properties):
    return {"matcher": {"id": "byFrameRefID", "options": ref_id},
            "properties": [{"id": name, "value": value} for name, value in properties.items()]}


def _properties(query):
    properties = {}
    if query.unit:
        properties["unit"] = query.unit
    if query.steps:
        properties["thresholds"] = query.steps
    if query.colour:
        properties["color"] = {"mode": "fixed", "fixedColor": query.colour}
    if query.line == "dashed":
        properties.update({"custom.lineStyle": {"fill": "dash", "dash": [8, 6]}, "custom.fillOpacity": 0})
    if query.line == "bars":
        properties.update({"custom.drawStyle": "bars", "custom.fillOpacity": 80, "custom.stacking": {"mode": "normal", "group": "A"}})
    return properties


def panel(kind, title, description, size, queries, unit, thresholds, options, instant, form="time_series", **defaults):
    """The JSON of a panel without its id and place; size is (width, height) in units of the grid."""
    targets, overrides = [], []
    for index, query in enumerate(queries):
        ref_id = chr(ord("A") + index)
        targets.append({"refId": ref_id, "datasource": DATASOURCE, "editorMode": "code", "expr": query.expr,
                        "legendFormat": query.legend, "format": form, "instant": instant, "range": not instant})
        if _properties(query):
            overrides.append(_override(ref_id, _properties(query)))
    return {"type": kind, "title": title, "description": " ".join(description.split()), "datasource": DATASOURCE,
            "gridPos": {"w": size[0], "h": size[1]}, "targets": targets, "options": options,
            "fieldConfig": {"defaults": {"unit": unit, "thresholds": thresholds, **defaults}, "overrides": overrides}}


def stat(title, description, size, queries, unit, thresholds, mappings=(), background=False, text="auto", decimals=None, beneath=False):
    """Single present values, side by side or one below the other. text: auto, value, name or value_and_name."""
    options = {"colorMode": "background" if background else "value", "graphMode": "none", "justifyMode": "center",
               "orientation": "horizontal" if beneath else "vertical", "textMode": text, "wideLayout": False,
               "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    defaults = {"color": {"mode": "thresholds"}, "mappings": list(mappings)}
    if decimals is not None:
        defaults["decimals"] = decimals
    return panel("stat", title, description, size, queries, unit, thresholds, options, instant=True, **defaults)


def timeseries(title, description, size, queries, unit, thresholds, stacked=False, bars=False, logarithmic=False, line=False,
               legend=("lastNotNull",), low=0, table=False, solid=False):
    """Curves. line: the thresholds are drawn as lines, within the scale. bars: counts of each interval. solid:
    areas without an outline, so that one of height 0 is not seen."""
    custom = {"drawStyle": "bars" if bars else "line", "lineWidth": 0 if solid else 1,
              "fillOpacity": 80 if bars else 70 if solid else 35 if stacked else 0 if table else 10,
              "showPoints": "never", "spanNulls": False, "axisPlacement": "auto",
              "stacking": {"mode": "normal" if stacked or bars else "none", "group": "A"},
              "scaleDistribution": {"type": "log", "log": 10} if logarithmic else {"type": "linear"},
              "thresholdsStyle": {"mode": "dashed" if line else "off"}}
    options = {"legend": {"displayMode": "table" if table else "list", "placement": "bottom", "showLegend": True, "calcs": list(legend)},
               "tooltip": {"mode": "multi", "sort": "desc"}}
    defaults = {"color": {"mode": "palette-classic"}, "custom": custom}
    if low is not None and not logarithmic:
        defaults["min"] = low
    return panel("timeseries", title, description, size, queries, unit, thresholds, options, instant=False, **defaults)


def timeline(title, description, size, queries, mappings, thresholds):
    """A bar for each series whose colour is its state at the time."""
    options = {"mergeValues": True, "showValue": "never", "alignValue": "left", "rowHeight": 0.85,
               "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
               "tooltip": {"mode": "single", "sort": "none"}}
    return panel("state-timeline", title, description, size, queries, "none", thresholds, options, instant=False,
                 color={"mode": "thresholds"}, mappings=mappings, custom={"fillOpacity": 80, "lineWidth": 0})


def heatmap(title, description, size, query, unit):
    """Buckets of a histogram over time; the darker, the more."""
    options = {"calculate": False, "cellGap": 1, "color": {"mode": "scheme", "scheme": "Blues", "steps": 64, "fill": "dark-blue", "exponent": 0.5, "reverse": False},
               "filterValues": {"le": 1e-9}, "legend": {"show": True}, "rowsFrame": {"layout": "auto"}, "showValue": "never",
               "tooltip": {"mode": "single", "yHistogram": False}, "yAxis": {"axisPlacement": "left", "reverse": False, "unit": unit},
               "cellValues": {"unit": "short"}, "exemplars": {"color": "rgba(255,0,255,0.7)"}}
    return panel("heatmap", title, description, size, [query], unit, steps(BLUE), options, instant=False, form="heatmap",
                 custom={"scaleDistribution": {"type": "linear"}})


class Column:
    """A column of a table: the name of its query in the table, its unit and its colours."""

    def __init__(self, name, unit, thresholds, mappings=()):
        self.name, self.unit, self.thresholds, self.mappings = name, unit, thresholds, list(mappings)


def table(title, description, size, queries, columns, sort_by):
    """A row for each combination of labels, a column for each query; the worst first."""
    made = panel("table", title, description, size, queries, columns[0].unit, columns[0].thresholds,
                 {"cellHeight": "sm", "showHeader": True, "footer": {"show": False, "reducer": ["sum"], "countRows": False},
                  "sortBy": [{"displayName": sort_by, "desc": True}]},
                 instant=True, form="table", color={"mode": "thresholds"}, mappings=[],
                 custom={"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False, "filterable": True})
    names = {f"Value #{target['refId']}": column.name for target, column in zip(made["targets"], columns)}
    made["transformations"] = [{"id": "merge", "options": {}},
                               {"id": "organize", "options": {"excludeByName": {"Time": True}, "indexByName": {}, "includeByName": {},
                                                              "renameByName": names}}]
    made["fieldConfig"]["overrides"] = [
        {"matcher": {"id": "byName", "options": column.name},
         "properties": [{"id": "unit", "value": column.unit}, {"id": "thresholds", "value": column.thresholds},
                        {"id": "mappings", "value": column.mappings},
                        {"id": "custom.cellOptions", "value": {"type": "color-background" if column.mappings else "color-text"}}]}
        for column in columns]
    return made


def row(title):
    return {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"w": 24, "h": 1}}


def placed(panels):
    """Gives each panel its id and place: from left to right; a new line begins if a line of 24 columns is full."""
    x = y = height = 0
    for number, made in enumerate(panels, 1):
        place = made["gridPos"]
        if x + place["w"] > 24:
            x, y, height = 0, y + height, 0
        place.update(x=x, y=y)
        made["id"] = number
        x, height = x + place["w"], max(height, place["h"])
    return panels


def datasource_variable():
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "regex": "", "hide": 0, "refresh": 1,
            "multi": False, "includeAll": False, "options": [], "current": {"text": "Prometheus", "value": "mdpipe"}}


def label_variable(name, label, metric, of, all_value=".*"):
    """A variable with every value of the label; the user can choose several or all."""
    return {"name": name, "label": label, "type": "query", "datasource": DATASOURCE, "hide": 0,
            "query": {"query": f"label_values({metric}, {of})", "qryType": 1, "refId": f"variable-{name}"}, "refresh": 2, "regex": "", "sort": 1,
            "includeAll": True, "multi": True, "allValue": all_value, "options": [], "current": {"text": ["All"], "value": ["$__all"]}}


def link(title, uid, tooltip):
    return {"type": "link", "title": title, "url": f"/d/{uid}", "tooltip": tooltip, "icon": "dashboard", "asDropdown": False,
            "keepTime": True, "includeVars": True, "targetBlank": False, "tags": []}


def dashboard(uid, title, description, variables, links, panels, refresh, span):
    return {"uid": uid, "title": title, "description": " ".join(description.split()), "tags": ["mdpipe"], "timezone": "browser",
            "schemaVersion": SCHEMA_VERSION, "version": 1, "refresh": refresh, "editable": True, "graphTooltip": 1,
            "time": {"from": f"now-{span}", "to": "now"}, "timepicker": {}, "annotations": {"list": []}, "links": links,
            "templating": {"list": variables}, "panels": placed(panels)}
