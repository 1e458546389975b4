"""The dependency rule: which folder may include which.

    dataplane/base -> monitoring -> {codec, scheduler, rest of dataplane} -> api -> tests, bench

The three engines do not know one another; only api/gateway joins them. Inside dataplane the rooms
are stacked, and inside api the client sees nothing of the gateway.
"""
import re

from tree import Finding

GROUND = {"dataplane/base", "monitoring"}
# The rooms of the data plane are stacked; transport and ledger do not know each other.
ROOMS = {
    "dataplane/memory": set(),
    "dataplane/wire": {"dataplane/memory"},
    "dataplane/ledger": {"dataplane/memory", "dataplane/wire"},
    "dataplane/port": {"dataplane/memory", "dataplane/wire"},
    "dataplane/transport": {"dataplane/memory", "dataplane/wire", "dataplane/port"},
}
ENGINES = {"codec", "scheduler"} | set(ROOMS)
EVERYTHING = GROUND | ENGINES | {"api"}

# A folder may include itself and what is listed. The longest name that fits a file counts.
MAY_INCLUDE = {
    "dataplane/base": set(),
    "monitoring": {"dataplane/base"},
    "codec": GROUND,
    "scheduler": GROUND,
    **{room: GROUND | below for room, below in ROOMS.items()},
    "api/proto": set(),
    "api/local": {"dataplane/base", "api/proto"},
    "api/client": {"dataplane/base", "api/local"},
    "api/cli": GROUND | {"api/proto", "api/local", "api/gateway", "dataplane/transport"},
    "api/cli/tensor": {"dataplane/base"},
    "api/cli/codec_bench": {"dataplane/base", "codec", "api/cli/tensor"},
    "api/gateway": GROUND | ENGINES | {"api/proto", "api/local"},
    "api/examples": {"dataplane/base", "api/client"},
    "api/python": {"dataplane/base", "api/client"},
    "tests": EVERYTHING,
    # These look at what stands beside them in the rule: programs and decoders of bench.
    "tests/bench": EVERYTHING | {"bench", "tests"},
    "tests/fuzz": EVERYTHING | {"bench", "tests"},
    "tests/integration": EVERYTHING | {"bench", "tests"},
    "bench": EVERYTHING | {"tests/sim"},
}

INCLUDE = re.compile(r'\s*#\s*include\s+"([^"]+)"')

# A library of others that must stay behind one folder and its tests: its headers, where, and whom to
# ask instead.
FENCED = [
    (re.compile(r"\s*#\s*include\s+[<\"]rte_"), ("dataplane/port/dpdk/", "tests/dataplane/port/dpdk/"),
     "DPDK's headers stay in dataplane/port/dpdk; what others need of it is in dpdk_device.h"),
]


def home(path):
    """The entry of MAY_INCLUDE that a file belongs to, or None."""
    fits = [folder for folder in MAY_INCLUDE if path.startswith(folder + "/")]
    return max(fits, key=len, default=None)


def check(tree):
    for path in tree.code():
        folder = home(path)
        if folder is None:
            yield Finding(path, 1, "stands in a folder that the dependency rule does not know; "
                                   "name it in tests/tidy/layers.py")
            continue
        allowed = MAY_INCLUDE[folder] | {folder}
        for number, line in enumerate(tree.lines(path), 1):
            for pattern, inside, instead in FENCED:
                if pattern.match(line) and not path.startswith(inside):
                    yield Finding(path, number, instead)
            match = INCLUDE.match(line)
            if match and not any(match[1].startswith(one + "/") for one in allowed):
                yield Finding(path, number, wrong(folder, match[1], allowed))


def wrong(folder, target, allowed):
    if home(target) is None:
        return (f'"{target}" is not a path from the root; write the whole path, and <...> for '
                "what is not ours")
    return f'{folder} must not include "{target}"; it may include {", ".join(sorted(allowed))}'
