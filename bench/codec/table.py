"""Every figure of `bench/run codec`, in the order in which they are measured; as bench/dataplane/table.py."""

from bench.codec import distortion, speed
from bench.lab.benchmark import Benchmark

PROGRAMS = ["godwit-updates", "godwit-distortion", "godwit-speed"]
NEEDING = {}
EMULATES = False  # no WAN
DRAWS = True  # a picture

BENCHMARKS = [
    Benchmark(distortion.NAMES, "bytes at equal error, on the updates of two models", 25, distortion.measure),
    Benchmark(speed.NAMES, "codecs and kernels beside memcpy", 40, speed.measure),
]
