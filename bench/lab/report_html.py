"""report.html: one file without scripts or foreign parts; curves as SVG, readable without colour."""

import html
import math

# Okabe and Ito, "Color Universal Design" (2008): told apart by all kinds of colour vision; every run
# also has a dash pattern of its own and a label at its end.
STYLES = {
    "godwit": ("#D55E00", ""), "oracle": ("#000000", "6 3"), "lan": ("#009E73", "2 2"),
    "tcp-async": ("#0072B2", "8 3 2 3"), "tcp-bsp": ("#CC79A7", "10 4"),
    "tcp-bsp-local": ("#56B4E9", "4 2 1 2"), "isolated": ("#999999", "1 3"),
}
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 380, 56, 120, 16, 44


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
            return [10.0 ** e for e in range(first, last + 1) if self.low <= 10.0 ** e <= self.high]
        raw = (self.high - self.low) / 6 or 1.0
        unit = 10 ** math.floor(math.log10(raw))
        step = next(m * unit for m in (1, 2, 5, 10) if m * unit >= raw)
        count = int((self.high - self.low) / step + 1e-9)
        first = math.ceil(self.low / step - 1e-9)
        return [step * (first + i) for i in range(count + 1) if step * (first + i) <= self.high + 1e-9]


def _path(points, axis_x, axis_y):
    return " ".join(f"{'M' if i == 0 else 'L'}{axis_x.at(x):.1f},{axis_y.at(y):.1f}"
                    for i, (x, y) in enumerate(points))


def _chart(title, x_label, series, target, logarithmic=False):
    """`series`: (run, site, points). Accuracy is on the y axis."""
    values = [x for _, _, points in series for x, _ in points]
    if not values:
        return ""
    low = min((x for x in values if x > 0), default=0.1) if logarithmic else 0.0
    axis_x = Axis(low, max(values), LEFT, WIDTH - RIGHT, logarithmic)
    top = max(max(y for _, _, points in series for _, y in points), target) + 0.02
    axis_y = Axis(0.3, min(top, 1.0), HEIGHT - BOTTOM, TOP)
    out = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">']
    for tick in axis_y.ticks():
        y = axis_y.at(tick)
        out.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
                   f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:.0%}</text>')
    for tick in axis_x.ticks():
        x = axis_x.at(tick)
        out.append(f'<line class="grid" y1="{TOP}" y2="{HEIGHT - BOTTOM}" x1="{x:.1f}" x2="{x:.1f}"/>'
                   f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick:g}</text>')
    y = axis_y.at(target)
    out.append(f'<line class="target" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">'
               f'{html.escape(x_label)}</text>')
    ends = {}
    for run, site, points in series:
        points = [(x, max(y, axis_y.low)) for x, y in points if x > 0 or not logarithmic]
        if not points:
            continue
        colour, dash = STYLES.get(run, ("#444444", ""))
        out.append(f'<path d="{_path(points, axis_x, axis_y)}" stroke="{colour}" '
                   f'stroke-dasharray="{dash}"><title>{html.escape(run)}, site {html.escape(site)}'
                   f'</title></path>')
        x, y = axis_x.at(points[-1][0]), axis_y.at(points[-1][1])
        if run not in ends or x > ends[run][0]:
            ends[run] = (x, y, colour)
    # Labels at the ends of the curves, pushed apart where they would overlap.
    last = -100.0
    for run, (x, y, colour) in sorted(ends.items(), key=lambda item: item[1][1]):
        y = max(y, last + 13)
        last = y
        out.append(f'<text x="{x + 6:.1f}" y="{y + 4:.1f}" fill="{colour}" class="label">'
                   f'{html.escape(run)}</text>')
    out.append("</svg>")
    return f"<h2>{html.escape(title)}</h2>" + "".join(out)


def _megabytes_at(history, site, seconds):
    """Bytes sent and received by one site up to an instant, in MB, between two readings."""
    before = [0.0] * (site + 2)
    for row in history:
        if row[0] >= seconds:
            span = row[0] - before[0]
            share = (seconds - before[0]) / span if span > 0 else 1.0
            return (before[site + 1] + share * (row[site + 1] - before[site + 1])) / 1e6
        before = row
    return before[site + 1] / 1e6


def _series(runs):
    time_series, byte_series = [], []
    for name, run in runs.items():
        for index, site in enumerate(run["sites"]):
            curve = run["curves"][index]
            time_series.append((name, site, curve))
            if run["bytes"] and run["bytes"][-1][index + 1] > 0:
                byte_series.append((name, site, [(_megabytes_at(run["bytes"], index, t), a)
                                                 for t, a in curve]))
    return time_series, byte_series


def _table(runs):
    rows = []
    for name, run in runs.items():
        reached = run["seconds_to_target"]
        time_text = f"{reached:.1f}" if reached is not None else f"&gt;{run['seconds']:.0f}"
        verdict = "yes" if run["valid"] else "no: " + html.escape("; ".join(run["faults"]))
        rows.append(f"<tr><th>{html.escape(name)}</th><td>{html.escape(run['description'])}</td>"
                    f"<td>{run['learning_rate']:g}</td><td>{time_text}</td>"
                    f"<td>{min(run['final']):.1%}</td><td>{run['wan_bytes'] / 1e6:.1f}</td>"
                    f"<td>{verdict}</td></tr>")
    return ("<table><tr><th>run</th><th>what was used</th><th>learning rate</th><th>seconds to target"
            "</th><th>final accuracy</th><th>WAN MB</th><th>valid</th></tr>" + "".join(rows) + "</table>")


PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Godwit: {title}</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff; }}
table {{ border-collapse: collapse; margin: 1rem 0; }} th, td {{ padding: .25rem .7rem; text-align: left;
  border-bottom: 1px solid #ddd; }}
svg {{ width: 100%; height: auto; }} svg path {{ fill: none; stroke-width: 1.8; }}
svg text {{ font-size: 12px; fill: #444; }} svg .label {{ font-weight: 600; }}
.grid {{ stroke: #eee; }} .target {{ stroke: #222; stroke-dasharray: 3 3; }}
</style></head><body><h1>{title}</h1><p><strong>{sentence}</strong></p>{table}
{charts}
<p>One curve per site and run; the dashed line is the target, {target:.0%} on the 10,000 test images.
Points far from the target are estimated on the first 1,000 of them. A site's bytes are what it sent and
received on the WAN, in layer 3.</p>
<p>sums bit-identical at all sites: <strong>{identical}</strong>; conservation defect:
<strong>{defect}</strong></p></body></html>
"""


def render(record):
    """`record`: wan, target, sentence, runs (name -> Result.to_json()), numbers."""
    time_series, byte_series = _series(record["runs"])
    charts = _chart("Accuracy against time", "seconds since all sites were connected", time_series,
                    record["target"])
    charts += _chart("Accuracy against bytes", "MB sent and received by the site (logarithmic)",
                     byte_series, record["target"], logarithmic=True)
    numbers = record["numbers"]
    defect = numbers["conservation_defect"]
    return PAGE.format(title=html.escape(f"{numbers['sites']} sites over {record['wan']}"),
                       sentence=html.escape(record["sentence"]), table=_table(record["runs"]),
                       charts=charts, target=record["target"],
                       identical="not audited" if defect is None else
                       ("yes" if numbers["identical"] else "no"),
                       defect="not audited" if defect is None else defect)
