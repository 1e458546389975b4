"""The picture in the README: accuracy of every run's worst site against time, one SVG by itself."""

from bench.lab import chart


def worst_site(curves):
    """From all sites' curves to one: every site takes its snapshots in the same rhythm."""
    return [(max(x for x, _ in points), min(y for _, y in points)) for points in zip(*curves)]


def render(record):
    """`record`: as report_html.render takes it."""
    series = [(name, "worst site", worst_site(run["curves"])) for name, run in record["runs"].items()]
    wan = record["character"]
    label = (f"seconds · worst of {record['numbers']['sites']} sites · {wan['rate_mbit']:.3g} Mbit/s and "
             f"{wan['rtt_ms']:.3g} ms between every two")
    words = {run["name"]: f"{run['seconds_to_target']} s".replace(">", "> ")
             for run in record["numbers"]["runs"]}
    size = f' xmlns="http://www.w3.org/2000/svg" width="{chart.WIDTH}" height="{chart.HEIGHT}"'
    drawn = chart.chart("Accuracy of the worst site against time", label, series, record["target"],
                        words=words, extra=size)
    opening, rest = drawn.split(">", 1)
    return (f'{opening}><style>{chart.STYLE}</style>\n'
            f'<rect width="100%" height="100%" rx="6" class="paper"/>\n{rest}\n')
