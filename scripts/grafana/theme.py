"""Font and colours of the pictures of dashboards: the tones of Grafana's light theme, under the names that Grafana has for them."""

import svg

FONT = "Inter, 'Helvetica Neue', Helvetica, Arial, sans-serif"
INK = svg.INK
MUTED, LINE, PANEL, PAGE = "#6a737d", "#e4e7eb", "#ffffff", "#f0f2f5"
COLOURS = {"green": "#3f9b4b", "light-green": "#73bf69", "super-light-green": "#a5d6a0", "orange": "#e8850c", "yellow": "#e5b700", "red": "#d6303f",
           "blue": "#3274d9", "light-blue": "#73a9f0", "dark-blue": "#1f4fa8", "purple": "#8f3bb8", "light-purple": "#c49be0",
           "dark-purple": "#6d2f91", "text": INK}
SERIES = ("#3274d9", "#e8850c", "#3f9b4b", "#8f3bb8", "#0d9aa5", "#c2417c", "#8a7a1f", "#52657a", "#d6303f", "#6aa84f", "#7c6ad6", "#a0522d")


def colour(name):
    return COLOURS.get(name, name)
