"""Every figure of `bench/run dataplane`, in the order in which they are measured.

A benchmark is added by a line here: the names of its figures, what it is, about how many seconds it
takes, and the function that measures.
"""

from bench.dataplane import idle, junk, loopback, path, ports, recovery, workers
from bench.lab.benchmark import Benchmark

PROGRAMS = ["godwit-loopback", "godwit-path", "godwit-junk", "godwit-load", "godwit-wan", "godwit",
            "godwitd"]
EMULATES = True  # a WAN, which needs TAP devices
DRAWS = False
NEEDING = {"dpdk": ["godwit-port"]}  # programs that only a build with it has

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
    Benchmark([junk.NAME], f"goodput under junk of {junk.PPS:,} datagrams a second from a stranger",
              2 * junk.RUNS * (junk.SECONDS + 2), junk.goodput),
    Benchmark(junk.NAMES_GATEWAYS, "the same of gateways, over sockets and on DPDK, and how they grow by it",
              junk.SECONDS_GATEWAYS, junk.of_gateways, needs="dpdk"),
    Benchmark([ports.RINGS], "the user-space UDP/IP endpoint over DPDK's rings", 5, ports.rings, needs="dpdk"),
    Benchmark([ports.PACKET_SOCKET], "datagrams between two namespaces: DPDK's packet sockets beside io_uring",
              2 * ports.RUNS * (ports.RECEIVER_SECONDS + 1), ports.packet_sockets, needs="dpdk"),
    Benchmark(workers.NAMES, "processor time of gateways with several workers over a full link",
              workers.SECONDS, workers.measure),
    Benchmark([idle.name_of("uring")], "three gateways that nobody uses", 40, idle.share("uring")),
    Benchmark([idle.name_of("dpdk")], "the same on DPDK", 40, idle.share("dpdk"), needs="dpdk"),
]
