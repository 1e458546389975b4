"""report.html: one file without scripts or foreign parts, for light and dark screens."""

import html
import math

from bench.lab import chart


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
        time_text = f"{reached:.1f}" if reached is not None else f"&gt;{math.floor(run['seconds'])}"
        verdict = "yes" if run["valid"] else "no: " + html.escape("; ".join(run["faults"]))
        numbers = (f"{run['learning_rate']:g}", time_text, f"{min(run['final']):.1%}",
                   f"{run['wan_bytes'] / 1e6:.1f}")
        rows.append(f"<tr><th>{html.escape(name)}</th><td>{html.escape(run['description'])}</td>"
                    + "".join(f'<td class="number">{number}</td>' for number in numbers)
                    + f"<td>{verdict}</td></tr>")
    heads = "".join(f'<th class="number">{head}</th>' for head in
                    ("learning rate", "seconds to target", "final accuracy", "WAN MB"))
    return (f"<table><tr><th>run</th><th>what was used</th>{heads}<th>valid</th></tr>"
            + "".join(rows) + "</table>")


PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Godwit: {title}</title><style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff; }}
@media (prefers-color-scheme: dark) {{ body {{ color: #ddd; background: #14181d; }} }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; margin: 1rem 0; }}
th, td {{ padding: .25rem .7rem; text-align: left; border-bottom: 1px solid #8884; }}
th {{ white-space: nowrap; }}
td.number, th.number {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }}
svg {{ width: 100%; max-width: 60rem; height: auto; }}
{style}
</style></head><body><h1>{title}</h1><p><strong>{sentence}</strong></p>
<div class="wide">{table}</div>
<p>{audit}</p>
{charts}
<p>One curve per site and run (point at one to see which); the dashed line is the target, {target:.0%}
of the 10,000 test images. Points far from the target are estimated on the first 1,000 of them. A site's
bytes are what it sent and received on the WAN, in layer 3.</p>
</body></html>
"""


def _audit(numbers):
    if numbers["conservation_defect"] is None:
        return "Godwit did not run, so no sums were compared."
    identical = "yes" if numbers["identical"] else "NO"
    text = (f"Sums bit-identical at all sites: <strong>{identical}</strong>. Conservation defect: "
            f"<strong>{numbers['conservation_defect']}</strong>.")
    for fault in numbers.get("faults", []):
        doing = f"killing the gateway of {fault['what']}" if fault["fault"] == "kill" else (
            f"cutting the link {fault['what']}")
        since = "the kill" if fault["fault"] == "kill" else "it was healed"
        text += (f" After {doing} at {fault['at_seconds']:g} s of Godwit's run, links were up "
                 f"{fault['up_seconds']} s after {since} and had carried changes both ways after "
                 f"{fault['recovery_seconds']} s.")
    return text


def render(record):
    """`record`: wan, target, sentence, runs (name -> Result.to_json()), numbers."""
    time_series, byte_series = _series(record["runs"])
    charts = ""
    for title, label, series, logarithmic in (
            ("Accuracy against time", "seconds since all sites were connected", time_series, False),
            ("Accuracy against bytes", "MB sent and received by the site (logarithmic)", byte_series,
             True)):
        drawn = chart.chart(title, label, series, record["target"], logarithmic)
        charts += f"<h2>{title}</h2>{drawn}" if drawn else ""
    numbers = record["numbers"]
    return PAGE.format(title=html.escape(f"{numbers['sites']} sites over {record['wan']}"),
                       sentence=html.escape(record["sentence"]), table=_table(record["runs"]),
                       style=chart.STYLE, charts=charts, target=record["target"],
                       audit=_audit(numbers))
