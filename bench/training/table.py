"""Every figure of `bench/run training`; as bench/dataplane/table.py."""

from bench.lab.benchmark import Benchmark
from bench.training import courses

PROGRAMS = ["godwit-training"]
NEEDING = {}
EMULATES = False  # no WAN
DRAWS = True  # pictures

BENCHMARKS = [
    Benchmark(courses.NAMES, "two models over four sites, through the codec at several budgets", 1100, courses.measure),
]
