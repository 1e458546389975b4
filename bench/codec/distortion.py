"""Bytes at equal error, on what two small models send while they train: our codecs beside published ones."""

import json
import math
import os
import subprocess

from bench.codec import picture
from bench.lab.failure import Failure
from bench.lab.figure import Bar, Figure

MODELS = ("images", "text")
WINDOWS = ("grad", "d1", "d10", "d100")
SETS = [f"{model}_{window}" for model in MODELS for window in WINDOWS]
# (figure without its set, what godwit-distortion calls it, unit, reference, bar of the ratio)
FIGURES = [
    ("bytes_vs_topk8", "topk8", "bytes", "top-k + 8 bit, best index coding; the worst of 0.25, 0.5, 1 bit", 0.70),
    ("bytes_vs_e3m0", "e3m0", "bytes", "4-bit floats, a scale for 256", 0.70),
    ("bytes_vs_int4", "int4", "bytes", "4-bit integers, a scale for 256", 0.86),
    ("bytes_vs_int8", "int8", "bytes", "8-bit integers, a scale for 256", None),
    ("bytes_vs_sign", "sign", "bytes", "one bit, a size for 256", None),
    ("bytes_vs_eden", "eden", "bytes", "EDEN; the worst of 1, 2, 4 bits", None),
    ("bytes_vs_filter1", "filter1", "bytes", "changes of 1 % of the parameter and more, as float32", None),
    ("bytes_vs_ideal", "ideal_end", "bytes", "ideal uniform quantiser, order-1 entropy; the worst error of a plane's end", 1.12),
    ("bytes_vs_ideal_between", "ideal_between", "bytes", "the same; the worst between them", 1.25),
    ("sl_vs_stc", "stc", "relative error", "sparse ternary compression; the worst of 0.02, 0.05 bit", 1.0),
    ("sl_vs_stc_tiny", "stc_tiny", "relative error", "the same at 0.003 bit", None),
]
MEAN = "bytes_vs_topk8_mean"
MEAN_MAX = 0.62


def figures_of(name):
    """FIGURES that a set has: a gradient is no change, of which a filter could keep something."""
    return [figure for figure in FIGURES if figure[1] != "filter1" or not name.endswith("grad")]


NAMES = [f"{figure}_{name}" for name in SETS for figure, *_ in figures_of(name)] + [MEAN]
SECONDS_MAX = 300


def figures(lines):
    """`lines` are what godwit-distortion says: {"set", "figure", "value", "reference_value", "at", "error"}."""
    found = []
    for name in SETS:
        for figure, kind, unit, reference, bar in figures_of(name):
            pairs = [(line["value"], line["reference_value"]) for line in lines
                     if (line["set"], line["figure"]) == (name, kind)]
            if not pairs:
                raise Failure(f"godwit-distortion said nothing of {kind} for {name}")
            worst = max(pairs, key=lambda pair: pair[0] / pair[1])
            found.append(Figure(f"{figure}_{name}", unit, reference, [worst],
                                None if bar is None else Bar("ratio", "<=", bar)))
    ratios = [line["value"] / line["reference_value"] for line in lines if line["figure"] == "topk8"]
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    found.append(Figure(MEAN, "ratio", "geometric mean over sets and rates", [(mean, 1.0)],
                        Bar("ratio", "<=", MEAN_MAX)))
    return found


def said(lab, words):
    process = lab.registry.start(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
    try:
        out, complaint = process.communicate(timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        raise Failure(f"{os.path.basename(words[0])} did not end within {SECONDS_MAX} s") from None
    finally:
        lab.registry.end([process])
    if process.returncode != 0:
        raise Failure(complaint.strip() or f"{os.path.basename(words[0])} failed")
    return out


def measure(lab):
    folder = lab.registry.folder("godwit-updates.")
    try:
        said(lab, [lab.program("godwit-updates"), folder])
        files = [os.path.join(folder, f"{name}.npy") for name in SETS]
        out = said(lab, [lab.program("godwit-distortion"), *files])
    finally:
        lab.registry.remove(folder)
    lines = [json.loads(line) for line in out.splitlines()]
    found = figures(lines)
    if lab.pictures:
        picture.draw(lab.pictures, lines)
    return found
