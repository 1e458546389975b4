"""The pictures of `bench/run training`: score against bytes for each model, and what a momentum outside makes of it.

Lines have marks of their own beside their colours, which come from a style sheet for light and dark screens.
"""

import html
import os

from bench.lab.chart import Axis
from bench.lab.figure import median

# As bench.lab.chart: told apart by all kinds of colour vision. Colour on light, on dark.
COLOURS = [("#D55E00", "#FF8A33"), ("#0072B2", "#56B4E9"), ("#007A59", "#2FC79B"), ("#A8487F", "#E39CC4"),
           ("#222222", "#EEEEEE"), ("#777777", "#AAAAAA")]
DASHES = ["none", "7 3", "2 2", "9 3 2 3", "4 2", "1 3"]
UNCODED = 32
TITLES = {"images": ("Fashion-MNIST, a perceptron of 1,010,850 parameters", "accuracy"),
          "text": ("Debian's licences, a character model of 796,032 parameters", "loss (nats a byte)")}
# Outer optimiser: its label.
WORDS = {"average": "average", "nesterov": "Nesterov 0.9", "published": "Nesterov 0.9, published",
         "gentle": "Nesterov 0.5", "inside": "momentum inside", "dropped": "Nesterov 0.9, rest dropped"}
LINE = 15  # between labels


def _theme(column, ink, grid, paper):
    rules = [f"text {{ fill: {ink}; stroke: {paper} }} line {{ stroke: {grid} }} .paper {{ fill: {paper} }}"]
    for index, colours in enumerate(COLOURS):
        rules.append(f".c{index} {{ stroke: {colours[column]} }} text.c{index}, circle.c{index} "
                     f"{{ fill: {colours[column]}; stroke: {paper} }}")
    return "\n".join(rules)


# A word's edge in the colour of the paper keeps it legible on lines.
STYLE = f"""
text {{ font: 12px system-ui, sans-serif; stroke-width: 4; stroke-linejoin: round; paint-order: stroke }}
text.title {{ font-weight: 600; font-size: 14px }} text.label {{ font-weight: 600 }}
path {{ fill: none; stroke-width: 2; stroke-linejoin: round }} circle {{ stroke-width: 1 }}
{_theme(0, "#444", "#e4e4e4", "#fff")}
@media (prefers-color-scheme: dark) {{
{_theme(1, "#bbb", "#3a3f46", "#14181d")}
}}
"""


def text(x, y, words, anchor="start", kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{html.escape(words)}</text>'


def svg(title, width, height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" aria-label="{html.escape(title)}"><style>{STYLE}</style>\n'
            '<rect width="100%" height="100%" rx="6" class="paper"/>\n' + "\n".join(parts) + "\n</svg>\n")


def score_axis(values, top, bottom):
    """More stands higher: more accuracy, and more loss."""
    low, high = min(values), max(values)
    margin = 0.09 * (high - low or 1)
    return Axis(low - margin, high + margin, bottom, top)


def frame(box, axis_x, axis_y, x_ticks, y_words):
    left, right, top, bottom = box
    for tick in axis_y.ticks():
        y = axis_y.at(tick)
        yield f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield text(left - 8, y + 4, y_words(tick), "end")
    for at, words in x_ticks:
        x = axis_x.at(at)
        yield f'<line y1="{top}" y2="{bottom}" x1="{x:.1f}" x2="{x:.1f}"/>'
        yield text(x, bottom + 18, words, "middle")


def curve(points, index):
    path = " ".join(f"{'L' if i else 'M'}{x:.1f},{y:.1f}" for i, (x, y) in enumerate(points))
    yield f'<path class="c{index}" stroke-dasharray="{DASHES[index]}" d="{path}"/>'


def spread(wanted, low, high):
    """Heights for labels, pushed apart where they would overlap, between the two."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    heights, last = list(wanted), low - LINE
    for i in order:
        last = heights[i] = max(wanted[i], last + LINE)
    last = high + LINE
    for i in reversed(order):
        last = heights[i] = min(heights[i], last - LINE)
    return heights


def words_of(model):
    return (lambda tick: f"{tick:.0%}") if model == "images" else (lambda tick: f"{tick:g}")


def medians(rounds_of_seeds, member):
    """By round, over the seeds."""
    return [median([line[member] for line in lines]) for lines in zip(*rounds_of_seeds)]


def bits_words(bits):
    return "fp32" if bits == UNCODED else f"{bits:g} bit"


def against_bytes(model, courses):
    """Score against megabytes, plain averaging, a curve for each budget."""
    width, height = 860, 420
    box = left, right, top, bottom = 56, width - 40, 48, height - 52
    title, measure = TITLES[model][0], TITLES[model][1]
    series = []
    for bits in sorted(bits for name, outer, bits in courses if (name, outer) == (model, "average")):
        seeds = courses[model, "average", bits]
        series.append((bits, [b / 1e6 for b in medians(seeds, "bytes")], medians(seeds, member_of(model))))
    megabytes = [x for _, xs, _ in series for x in xs]
    axis_x = Axis(min(megabytes) / 1.15, max(megabytes) * 1.15, left, right, logarithmic=True)
    axis_y = score_axis([y for _, _, ys in series for y in ys], top, bottom)
    ticks = [(10.0 ** e, f"{10.0 ** e:,g}") for e in range(-3, 7) if axis_x.low <= 10.0 ** e <= axis_x.high]
    parts = [text(left, 24, f"{title}: {measure} against bytes", kind="title"),
             *frame(box, axis_x, axis_y, ticks, words_of(model)),
             text((left + right) / 2, height - 12,
                  "MB that all four sites have sent, to each of the others (logarithmic)", "middle")]
    labels = []
    for index, (bits, xs, ys) in enumerate(series):
        points = [(axis_x.at(x), axis_y.at(y)) for x, y in zip(xs, ys)]
        parts += curve(points, index)
        x, y = points[-1]
        parts.append(f'<circle class="c{index}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>')
        # Beyond the end, where the curves of smaller budgets have not come.
        labels.append(text(x, y - 11 if model == "images" else y + 20, bits_words(bits), "middle",
                           f"label c{index}"))
    return svg(title, width, height, parts + labels)


def places(bits):
    """Budgets stand evenly, the smallest at the right, where the lines differ most and have their labels."""
    return {value: index for index, value in enumerate(sorted(bits, reverse=True))}


def panel(title, box, series, x_ticks, y_words):
    """`series`: {outer: [(x, score), ...]}; the labels are at the right, tied to the ends of their lines."""
    left, right, top, bottom = box
    axis_x = Axis(0, max(at for at, _ in x_ticks), left + 14, right - 14)
    axis_y = score_axis([score for points in series.values() for _, score in points], top, bottom)
    yield text(left, top - 14, title, kind="title")
    yield from frame(box, axis_x, axis_y, x_ticks, y_words)
    heights = spread([axis_y.at(points[-1][1]) + 4 for points in series.values()], top, bottom)
    for y, (outer, points) in zip(heights, series.items()):
        index = list(WORDS).index(outer)
        points = [(axis_x.at(x), axis_y.at(score)) for x, score in points]
        yield from curve(points, index)
        x, end = points[-1]
        yield f'<circle class="c{index}" cx="{x:.1f}" cy="{end:.1f}" r="3"/>'
        yield f'<line x1="{x + 5:.1f}" y1="{end:.1f}" x2="{right + 8}" y2="{y - 4:.1f}"/>'
        yield text(right + 12, y, WORDS[outer], kind=f"label c{index}")


def member_of(model):
    return "accuracy" if model == "images" else "loss"


def by_budget(model, courses, box):
    place = places({bits for name, _, bits in courses if name == model})
    series = {}
    for outer in WORDS:
        ends = [(at, medians(courses[model, outer, bits], member_of(model))[-1])
                for bits, at in place.items() if (model, outer, bits) in courses]
        if ends:
            series[outer] = ends
    title = f"{TITLES[model][0].split(',')[0]}: {TITLES[model][1]} at the end"
    return panel(title, box, series, [(at, bits_words(bits)) for bits, at in place.items()], words_of(model))


def by_round(model, courses, box):
    """Under the smallest budget; what comes before the fifth round would hide the rest."""
    least = min(bits for name, _, bits in courses if name == model)
    series = {}
    for outer in WORDS:
        if (model, outer, least) in courses:
            scores = medians(courses[model, outer, least], member_of(model))
            series[outer] = list(enumerate(scores, 1))[min(4, len(scores) - 1):]
    last = max(at for points in series.values() for at, _ in points)
    title = f"{TITLES[model][0].split(',')[0]}: {TITLES[model][1]} by round, at {bits_words(least)}"
    return panel(title, box, series, [(at, str(at)) for at in range(0, last + 1, max(1, last // 5))], words_of(model))


def hazard(courses):
    """What training ends with, against the budget, and how it comes there under the smallest one."""
    width, height = 1180, 790
    parts = []
    for column, model in enumerate(TITLES):
        left = 56 + column * (width / 2)
        right = left + 340
        middle = (left + right) / 2
        parts += by_budget(model, courses, (left, right, 48, 340))
        parts.append(text(middle, 378, "bits for each parameter of a site's change", "middle"))
        parts += by_round(model, courses, (left, right, 438, 730))
        parts.append(text(middle, 768, "rounds", "middle"))
    return svg("What training ends with, by budget and outer optimiser", width, height, parts)


def draw(folder, courses):
    """`courses`: as courses.by_course gives them."""
    pictures = {f"training_{model}.svg": against_bytes(model, courses) for model in TITLES}
    pictures["training_outer_momentum.svg"] = hazard(courses)
    for name, content in pictures.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(content)
    return sorted(pictures)
