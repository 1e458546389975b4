"""The picture of `bench/run codec`: bits for an element against the error, our codecs beside published ones."""

import os

from bench.lab.chart import Axis
from bench.lab.drawing import curve, frame, spread, svg, text

OURS, BOUND = "BPC", "ideal, order 1"  # labels of curves without marks
# What godwit-distortion calls it: (its label, its colour and dashes).
RIVALS = {"topk8": ("top-k + 8 bit", 1), "eden": ("EDEN", 2), "e3m0": ("E3M0", 3), "int4": ("int4", 3),
          "int8": ("int8", 3), "sign": ("sign", 3)}
IDEAL = "ideal_end"
LOW_BITS, HIGH_BITS = 0.03, 10.0
LOW_ERROR = 5e-3
COLUMNS, WIDTH, HEIGHT = 4, 350, 310
LEFT, RIGHT, TOP, BOTTOM = 52, 108, 48, 44


def curves_of(lines):
    """{label: (colour, [(bits, error), ...])} of one set's lines; the error falls."""
    found = {OURS: (0, []), BOUND: (4, [])}
    for line in lines:
        kind, bits, error = line["figure"], line["at"], line["error"]
        share = line["value"] / line["reference_value"]  # our bytes in units of the rival's
        if kind == IDEAL:
            found[OURS][1].append((bits, error))
            found[BOUND][1].append((bits / share, error))
        elif kind in RIVALS:
            label, colour = RIVALS[kind]
            found.setdefault(label, (colour, []))[1].append((bits, error))
    return {label: (colour, sorted(points)) for label, (colour, points) in found.items()}


def panel(name, curves, left, top):
    box = left + LEFT, left + WIDTH - RIGHT, top + TOP, top + HEIGHT - BOTTOM
    axis_x = Axis(LOW_BITS, HIGH_BITS, box[0], box[1], logarithmic=True)
    axis_y = Axis(LOW_ERROR, 1.0, box[3], box[2], logarithmic=True)
    yield text(box[0], top + 30, name, kind="title")
    yield from frame(box, axis_x, axis_y, [(at, f"{at:g}") for at in (0.05, 0.2, 1, 5)], lambda tick: f"{tick:g}")
    ends = []
    for label, (colour, points) in curves.items():
        points = [(axis_x.at(bits), axis_y.at(error)) for bits, error in points
                  if LOW_BITS <= bits <= HIGH_BITS and error >= LOW_ERROR]
        if len(points) > 1:
            yield from curve(points, colour)
        if label not in (OURS, BOUND):
            for x, y in points:
                yield f'<circle class="c{colour}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
        if points:
            ends.append((label, colour, points[-1]))
    heights = spread([y + 4 for _, _, (_, y) in ends], box[2], box[3])
    for height, (label, colour, (x, y)) in zip(heights, ends):
        yield f'<line x1="{x + 5:.1f}" y1="{y:.1f}" x2="{box[1] + 4}" y2="{height - 4:.1f}"/>'
        yield text(box[1] + 6, height, label, kind=f"label c{colour}")


def draw(folder, lines):
    """`lines` are what godwit-distortion says."""
    names = list(dict.fromkeys(line["set"] for line in lines))
    rows = -(-len(names) // COLUMNS)
    parts = []
    for index, name in enumerate(names):
        chosen = [line for line in lines if line["set"] == name]
        parts += panel(name, curves_of(chosen), index % COLUMNS * WIDTH, index // COLUMNS * HEIGHT)
    parts.append(text(COLUMNS * WIDTH / 2, rows * HEIGHT + 14,
                      "bits an element, and relative error (both logarithmic): the lower left is better", "middle"))
    content = svg("Error against bits an element, by data set", COLUMNS * WIDTH, rows * HEIGHT + 30, parts)
    with open(os.path.join(folder, "codec_distortion.svg"), "w", encoding="utf-8") as file:
        file.write(content)
