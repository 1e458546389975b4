"""Rules about single C++ files: size, headline, and who may touch the operating system."""
import re

from tree import Finding, suffix, without_comments

# Chosen: what one reads in one sitting. Most files have 100 to 400 lines.
LINES_MAX = 500

# Folders in which time, chance and the world come in as parameters.
PURE = ("codec/", "scheduler/", "dataplane/memory/", "dataplane/ledger/", "dataplane/wire/",
        "dataplane/transport/", "dataplane/port/ip/", "dataplane/port/loop", "monitoring/catalog")

# Takes the time of day as a function, and the system's when it is given none.
IMPURE = ("dataplane/transport/tls_context.cc",)

# The edges: what is touched, the pattern that shows it, and the files or folders that may.
EDGES = [
    ("the operating system's clock",
     r"_clock::now\s*\(|\bclock_gettime\s*\(|\bgettimeofday\s*\(|\btime\s*\(\s*(nullptr|NULL|0)\s*\)",
     ("dataplane/base/system_time.cc",)),
    ("the operating system's entropy",
     r"\brandom_device\b|\bs?rand\s*\(|\bgetrandom\s*\(",
     ("dataplane/base/system_time.cc",)),
    ("sleeping",
     r"\bsleep_(for|until)\s*\(|\bu?sleep\s*\(|\b(clock_)?nanosleep\s*\(",
     ("dataplane/port/uring", "dataplane/port/udp_socket.cc", "api/local/", "api/client/", "api/cli/")),
    ("printing",
     r"\bstd::(cout|cerr|clog)\b|\b(f|v|vf)?printf\s*\(|\bf?puts\s*\(|\bfmt::print\s*\(",
     ("dataplane/base/assert.cc", "dataplane/base/log.cc", "api/cli/", "api/gateway/main.cc",
      "api/examples/")),
    ("sockets",
     r"::socket\s*\(|\bsocket\s*\(\s*AF_|\b(recv|send)m?msg\s*\(|\bio_uring_\w+\s*\(",
     ("dataplane/port/uring", "dataplane/port/epoll", "dataplane/port/udp_socket",
      "dataplane/port/dpdk/kernel_interface.cc", "api/local/",
      "api/client/", "api/cli/", "api/gateway/", "monitoring/")),
]
FREE = ("tests/", "bench/")  # programs that measure and provoke the world

# What an engine must not contain at all.
PURITY = [
    ("system time or entropy; take `now` or a Random& as a parameter",
     r"\bsystem_(now|unix_seconds|unix_ns|entropy)\s*\("),
    ("a thread or a lock; a worker owns everything it touches",
     r"\bstd::(jthread|thread|mutex|shared_mutex|recursive_mutex|condition_variable)\b"),
]


def check(tree):
    for path in tree.files:
        if suffix(path) in (".h", ".cc", ".py", ".proto", ".sh") or path == "tests/check":
            yield from size(tree, path)
    for path in tree.headers():
        yield from headline(tree, path)
    for path in tree.code():
        bare = list(without_comments(tree.lines(path)))
        yield from edges(path, bare)
        yield from assertions(path, bare)
    yield from unfed(tree)


def unfed(tree):
    """A metric that nothing writes is exported as 0 for ever: a lie."""
    catalog = "monitoring/catalog.h"
    if catalog not in tree.files:
        return
    fed = set()
    for path in tree.code():
        if not path.startswith(("tests/", "monitoring/catalog")):
            for line in without_comments(tree.lines(path)):
                fed.update(re.findall(r"\bMetric::(k\w+)", line))
    inside = False
    for number, line in enumerate(tree.lines(catalog), 1):
        inside = line.startswith("enum class Metric ") or (inside and not line.startswith("}"))
        name = re.match(r"  (k\w+),$", line)
        if inside and name and name[1] not in fed:
            yield Finding(catalog, number, f"{name[1]} is written by somebody, or is no metric")


def size(tree, path):
    count = len(tree.lines(path))
    if count > LINES_MAX:
        yield Finding(path, count, f"{count} lines, at most {LINES_MAX}: two concepts, two files")


def headline(tree, path):
    lines = tree.lines(path)
    if not lines or not re.match(r"// \S.{8,}", lines[0]):
        yield Finding(path, 1, "a header starts with a comment that says in one sentence what it "
                               "is for")
        return
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("//"):
            # Highway's guard lets a header in once for each instruction set.
            if line.strip() != "#pragma once" and not re.match(r"#if .*== defined\(HWY_TARGET_TOGGLE\)$", line):
                yield Finding(path, number, "#pragma once follows the headline comment")
            return
    yield Finding(path, len(lines), "#pragma once is missing")


def edges(path, bare):
    if path.startswith(FREE):
        return
    for what, pattern, homes in EDGES:
        if not path.startswith(homes):
            for number, line in enumerate(bare, 1):
                if re.search(pattern, line):
                    yield Finding(path, number, f"{what} is touched only in {', '.join(homes)}")
    if path.startswith(PURE) and path not in IMPURE:
        for what, pattern in PURITY:
            for number, line in enumerate(bare, 1):
                if re.search(pattern, line):
                    yield Finding(path, number, f"an engine has no {what}")


def assertions(path, bare):
    for number, line in enumerate(bare, 1):
        if re.search(r"(?<![\w.])assert\s*\(|<cassert>", line):
            yield Finding(path, number, "GODWIT_ASSERT stays on in every build; assert does not")
