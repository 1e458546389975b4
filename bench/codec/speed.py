"""How fast codecs and kernels are on one core, beside memcpy in the same run, data in memory."""

import json
import os

from bench.codec import distortion
from bench.lab.failure import Failure
from bench.lab.figure import Bar, Figure

MEMCPY = "memcpy, GB/s"
TENSORS = ("images_weights.npy", "images_d100.npy", "images_grad.npy")  # parameters, dense, heavy
# (figure, unit, reference, sense, bar of the ratio); DESIGN section 6.
FIGURES = [
    ("bpc_encode_0.2_dense", "GB/s", MEMCPY, ">=", 0.32),
    ("bpc_encode_0.2_heavy", "GB/s", MEMCPY, ">=", 0.22),
    ("bpc_encode_1_dense", "GB/s", MEMCPY, ">=", 0.22),
    ("bpc_encode_1_heavy", "GB/s", MEMCPY, ">=", 0.14),
    ("bpc_decode_add_0.2_dense", "GB/s", MEMCPY, ">=", 0.35),
    ("bpc_decode_add_0.2_heavy", "GB/s", MEMCPY, ">=", 0.22),
    ("bpc_decode_add_1_dense", "GB/s", MEMCPY, ">=", 0.20),
    ("bpc_decode_add_1_heavy", "GB/s", MEMCPY, ">=", 0.12),
    ("q8", "GB/s", MEMCPY, ">=", 0.60),
    ("q4", "GB/s", MEMCPY, ">=", 0.60),
    ("merge", "GB/s", MEMCPY, ">=", 0.50),
    ("merge_checked", "GB/s", MEMCPY, ">=", 0.35),
    ("merge_8lanes", "GB/s", "the same ledger with one lane", ">=", 0.9),
    ("scan", "GB/s", MEMCPY, ">=", 0.8),
    ("xh_encode_fp32", "GB/s", MEMCPY, ">=", 0.17),
    ("xh_encode_bf16", "GB/s", MEMCPY, ">=", 0.09),
    ("xh_size_vs_entropy_fp32", "bytes", "exponents' order-0 entropy, the rest as it is", "<=", 1.01),
    ("xh_size_vs_entropy_bf16", "bytes", "exponents' order-0 entropy, the rest as it is", "<=", 1.01),
]
# What others would use for snapshots: (name, whether it takes bfloat16, bar of the speed's ratio).
ARCHIVERS = [("shuffle_zstd", True, 3), ("lz4", True, None), ("blosc_lz4", True, None), ("blosc_zstd", True, None),
             ("zfp", False, None)]
for _name, _narrow, _bar in ARCHIVERS:
    for _kind in ("", "_bf16") if _narrow else ("",):
        FIGURES += [(f"xh_vs_{_name}{_kind}", "GB/s", f"{_name}, the same tensor", ">=", _bar),
                    (f"xh_bytes_vs_{_name}{_kind}", "bytes", f"{_name}, the same tensor", "<=", None)]
# What a link's speed asks of the processor: (code, the race that it is computed from, bits an element).
LINKS_GBIT = (0.1, 1, 10)
CODES = [("bpc_0.2", "bpc_encode_0.2_dense", 0.2), ("bpc_1", "bpc_encode_1_dense", 1.0), ("q8", "q8", 8.0)]
ELEMENT_BYTES = 4  # that the races count
CORES = [(f"encode_cores_{link:g}gbit_{code}", link, race, bits) for link in LINKS_GBIT for code, race, bits in CODES]
NAMES = [name for name, *_ in FIGURES] + [name for name, *_ in CORES]


def cores(link_gbit, bits, race_gb):
    """So many encode for a link of `link_gbit`, at `bits` an element, when one encodes `race_gb` GB/s."""
    return link_gbit / (race_gb / ELEMENT_BYTES * bits)


def figures(lines):
    """`lines` are what godwit-speed says: {"figure", "value", "reference_value"}, a line for each round."""
    found = []
    for name, unit, reference, sense, bar in FIGURES:
        pairs = [(line["value"], line["reference_value"]) for line in lines if line["figure"] == name]
        if not pairs:
            raise Failure(f"godwit-speed said nothing of {name}")
        found.append(Figure(name, unit, reference, pairs, None if bar is None else Bar("ratio", sense, bar)))
    races = {figure.name: figure.pairs for figure in found}
    return found + [Figure(name, "cores", "one core", [(cores(link, bits, gb), 1.0) for gb, _ in races[race]])
                    for name, link, race, bits in CORES]


def measure(lab):
    folder = lab.registry.folder("godwit-updates.")
    try:
        distortion.said(lab, [lab.program("godwit-updates"), folder])
        out = distortion.said(lab, [lab.program("godwit-speed"), *(os.path.join(folder, name) for name in TENSORS)])
    finally:
        lab.registry.remove(folder)
    return figures([json.loads(line) for line in out.splitlines()])
