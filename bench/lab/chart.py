"""Accuracy against something, as an SVG: for report.html and for the picture in the README.

Colours come from `STYLE`, a style sheet for light and dark backgrounds; every run also has a dash
pattern of its own and a label at its end, so that nothing depends on colour.
"""

import html
import math

# Okabe and Ito, "Color Universal Design" (2008): told apart by all kinds of colour vision.
# Colour on light, on dark, dash pattern.
RUNS = {
    "godwit": ("#D55E00", "#FF8A33", ""), "oracle": ("#222222", "#EEEEEE", "6 3"),
    "lan": ("#007A59", "#2FC79B", "2 2"), "tcp-async": ("#0072B2", "#56B4E9", "8 3 2 3"),
    "tcp-bsp": ("#A8487F", "#E39CC4", "10 4"), "tcp-bsp-local": ("#2B7FB0", "#9AD3F5", "4 2 1 2"),
    "isolated": ("#777777", "#AAAAAA", "1 3"),
}
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 380, 48, 160, 22, 44
LABEL_HEIGHT = 14
ACCURACY_MIN = 0.3


def _theme(column, ink, grid, paper):
    """Written out for every run: not every viewer knows CSS variables."""
    rules = [f"svg text {{ fill: {ink} }} svg line {{ stroke: {grid} }} .paper {{ fill: {paper} }}",
             f"svg line.target {{ stroke: {ink} }} svg path {{ stroke: {ink} }}"]
    for run, colours in RUNS.items():
        rules.append(f"svg path.{run} {{ stroke: {colours[column]} }} "
                     f"svg text.{run} {{ fill: {colours[column]} }}")
    return "\n".join(rules)


STYLE = f"""
svg text {{ font: 12px system-ui, sans-serif }} svg text.label {{ font-weight: 600 }}
svg path {{ fill: none; stroke-width: 1.7; stroke-linejoin: round }}
svg path.godwit {{ stroke-width: 2.6 }} svg line.target {{ stroke-dasharray: 3 3 }}
{_theme(0, "#444", "#e4e4e4", "#fff")}
@media (prefers-color-scheme: dark) {{
{_theme(1, "#bbb", "#3a3f46", "#14181d")}
}}
"""


class Axis:
    def __init__(self, low, high, start, end, logarithmic=False):
        self.low, self.high, self.start, self.end = low, high, start, end
        self.logarithmic = logarithmic

    def at(self, value):
        low, high = self.low, self.high
        if self.logarithmic:
            value, low, high = math.log10(max(value, low)), math.log10(low), math.log10(high)
        share = (value - low) / (high - low) if high > low else 0.0
        return self.start + share * (self.end - self.start)

    def ticks(self):
        if self.logarithmic:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            return [m * 10.0 ** e for e in range(first, last + 1) for m in (1, 2, 5)
                    if self.low <= m * 10.0 ** e <= self.high]
        raw = (self.high - self.low) / 6 or 1.0
        unit = 10 ** math.floor(math.log10(raw))
        step = next(m * unit for m in (1, 2, 5, 10) if m * unit >= raw)
        count = int((self.high - self.low) / step + 1e-9)
        first = math.ceil(self.low / step - 1e-9)
        return [step * (first + i) for i in range(count + 1) if step * (first + i) <= self.high + 1e-9]


def _path(points, axis_x, axis_y):
    return " ".join(f"{'M' if i == 0 else 'L'}{axis_x.at(x):.1f},{axis_y.at(y):.1f}"
                    for i, (x, y) in enumerate(points))


def _frame(axis_x, axis_y, x_label, target):
    for tick in axis_y.ticks():
        y = axis_y.at(tick)
        yield (f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
               f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:.0%}</text>')
    for tick in axis_x.ticks():
        x = axis_x.at(tick)
        yield (f'<line y1="{TOP}" y2="{HEIGHT - BOTTOM}" x1="{x:.1f}" x2="{x:.1f}"/>'
               f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick:g}</text>')
    y = axis_y.at(target)
    yield (f'<line class="target" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
           f'<text x="{LEFT + 6}" y="{y - 5:.1f}">target {target:.0%}</text>')
    yield (f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">'
           f'{html.escape(x_label)}</text>')


def _spread(wanted):
    """Heights for labels, in the order of `wanted`, pushed apart where they would overlap and kept
    above the lower edge."""
    heights, last = [], -math.inf
    for y in wanted:
        last = max(y, last + LABEL_HEIGHT)
        heights.append(last)
    bottom = HEIGHT - BOTTOM
    for index in reversed(range(len(heights))):
        heights[index] = min(heights[index], bottom)
        bottom = heights[index] - LABEL_HEIGHT
    return heights


def _labels(ends, words):
    """At the right edge, each tied to the end of its curve by a thin line."""
    ordered = sorted(ends.items(), key=lambda item: item[1][1])
    x = WIDTH - RIGHT + 14
    for (run, (end_x, end_y)), y in zip(ordered, _spread([end[1] for _, end in ordered])):
        yield (f'<line x1="{end_x + 2:.1f}" y1="{end_y:.1f}" x2="{x - 3}" y2="{y:.1f}"/>'
               f'<text x="{x}" y="{y + 4:.1f}" class="label {html.escape(run)}">'
               f'{html.escape(run)}<tspan style="font-weight: 400"> {html.escape(words.get(run, ""))}'
               '</tspan></text>')


def chart(title, x_label, series, target, logarithmic=False, words=(), extra=""):
    """`series`: (run, site, points), accuracy on the y axis; `words` go behind a run's label; `extra`
    are attributes of the SVG. Empty text when there is no point."""
    values = [x for _, _, points in series for x, _ in points if x > 0 or not logarithmic]
    if not values:
        return ""
    axis_x = Axis(min(values) if logarithmic else 0.0, max(values), LEFT, WIDTH - RIGHT, logarithmic)
    top = max(max(y for _, _, points in series for _, y in points), target) + 0.02
    axis_y = Axis(ACCURACY_MIN, min(top, 1.0), HEIGHT - BOTTOM, TOP)
    curves, ends = [], {}
    for run, site, points in series:
        points = [(x, y) for x, y in points
                  if (x > 0 or not logarithmic) and y >= ACCURACY_MIN]
        if not points:
            continue
        dash = RUNS[run][2] if run in RUNS else ""
        name = html.escape(f"{run}, {site}")
        curves.append(f'<path class="{html.escape(run)}" stroke-dasharray="{dash or "none"}" '
                      f'd="{_path(points, axis_x, axis_y)}"><title>{name}</title></path>')
        x, y = axis_x.at(points[-1][0]), axis_y.at(points[-1][1])
        if run not in ends or x > ends[run][0]:
            ends[run] = (x, y)
    parts = [*_frame(axis_x, axis_y, x_label, target), *_labels(ends, dict(words)), *curves]
    return (f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}"{extra}>'
            + "\n".join(parts) + "</svg>")
