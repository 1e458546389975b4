"""Every figure of `bench/run dataplane`, in the order in which they are measured.

A benchmark is added by a line here: the names of its figures, what it is, about how many seconds it
takes, and the function that measures.
"""

from bench.dataplane import idle, loopback, path, recovery
from bench.lab.benchmark import Benchmark

PROGRAMS = ["godwit-loopback", "godwit-path", "godwit-wan", "godwit", "godwitd"]

BENCHMARKS = [
    Benchmark(loopback.NAMES,
              "one encrypted flow over loopback: bytes per second of processor time", 25,
              loopback.measure),
    *(Benchmark(path.goodput_names(loss),
                f"goodput over {path.RATE_MBIT:g} Mbit/s, {path.RTT_MS:g} ms, {loss} % loss",
                path.RUNS * (path.SECONDS + 2), path.goodput(loss)) for loss in path.LOSSES),
    Benchmark(path.CAPPED_NAMES,
              "the bottleneck's queue, and control messages under full bulk load",
              path.RUNS * (path.SECONDS + 2), path.capped),
    Benchmark(recovery.NAMES,
              "a step from 50 to 20 Mbit/s and a cut of 3 s", recovery.RUNS * (recovery.SECONDS + 2),
              recovery.measure),
    Benchmark(idle.NAMES, "three gateways that nobody uses", 40, idle.measure),
]
