"""The pictures of `bench/run training`: score against bytes for each model, and what a momentum outside makes of it."""

import os

from bench.lab.chart import Axis
from bench.lab.drawing import curve, frame, spread, svg, text
from bench.lab.figure import median

UNCODED = 32
TITLES = {"images": ("Fashion-MNIST, a perceptron of 1,010,850 parameters", "accuracy"),
          "text": ("Debian's licences, a character model of 796,032 parameters", "loss (nats a byte)")}
# Outer optimiser: its label.
WORDS = {"average": "average", "nesterov": "Nesterov 0.9", "published": "Nesterov 0.9, published",
         "gentle": "Nesterov 0.5", "inside": "momentum inside", "dropped": "Nesterov 0.9, rest dropped"}


def score_axis(values, top, bottom):
    """More stands higher: more accuracy, and more loss."""
    low, high = min(values), max(values)
    margin = 0.09 * (high - low or 1)
    return Axis(low - margin, high + margin, bottom, top)


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
