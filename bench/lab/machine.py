"""What the machine must have: packages, a build, and the right to make network namespaces."""

import os
import re
import signal
import subprocess
import time

from bench.lab.failure import Failure

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.join(ROOT, ".build", "quickstart")
TUN = "/dev/net/tun"
BUILD_LOOK_SECONDS = 10
RUN_EXTRA_SECONDS = 7  # of a run: its start, its last evaluations
BASELINE_PROGRAMS = {"godwit-wan": "bench/wan", "godwit-site": "bench/workloads/programs",
                     "godwit-evaluator": "bench/workloads/programs"}
GODWIT_PROGRAMS = {"godwitd": "api/gateway", "godwit": "api/cli",
                   "godwit-auditor": "bench/workloads/programs"}
PROGRAMS = {**BASELINE_PROGRAMS, **GODWIT_PROGRAMS}
SUITE_PROGRAMS = {"godwit-loopback": "bench/dataplane", "godwit-path": "bench/dataplane",
                  "godwit-port": "bench/dataplane", "godwit-junk": "bench/dataplane",
                  "godwit-load": "bench/dataplane", "godwit-updates": "bench/codec",
                  "godwit-distortion": "bench/codec", "godwit-speed": "bench/codec",
                  "godwit-training": "bench/training"}


def sections(port):
    """Of .ci/packages, what a run with this port needs."""
    return ["run", "dpdk"] if port == "dpdk" else ["run"]


def scratch_bytes(sites):
    """Most that a run has in scratch files: a ring of sixteen deltas for each site of the oracle, or the
    gateways' state, for each site two sums and for each other one a lane of 8 MB and its ring."""
    return sites * max(80, 16 * (sites + 2)) << 20


def scratch_base(sites):
    """A folder with room for them, in memory if possible. Containers often have 64 MB of /dev/shm."""
    free = {}
    for base in ("/dev/shm", "/tmp"):
        if os.access(base, os.W_OK):
            status = os.statvfs(base)
            free[base] = status.f_bavail * status.f_frsize
            if free[base] >= scratch_bytes(sites):
                return base
    known = ", ".join(f"{base} has {room >> 20} MB" for base, room in free.items()) or "there is neither"
    raise Failure(f"{sites} sites need {scratch_bytes(sites) >> 20} MB of scratch files in /dev/shm or /tmp, and "
                  f"{known}; give the container more (docker run --shm-size=2g), or take fewer --sites")


def announce(say, runs, limit, port, sites):
    """Says what will happen before anything does."""
    dry = subprocess.run([os.path.join(ROOT, ".ci", "install"), "--dry-run", *sections(port)],
                         capture_output=True, text=True)
    words = dry.stderr.strip() or dry.stdout.strip() or "all are installed, nothing to download"
    say("bench/quickstart trains one model at several sites over an emulated WAN and compares ways "
        "to connect them.")
    say("  packages   " + words.replace("\n", "\n" + 13 * " "))
    built = all(os.path.exists(program(name)) for name in PROGRAMS)
    state = "is there, brought up to date" if built else "about 150 MB and 2 to 5 minutes"
    say(f"  build      {os.path.relpath(BUILD)}: {state}")
    minutes = max(1, round(runs * (limit + RUN_EXTRA_SECONDS) / 60))
    say(f"  run        {runs} run{'s' if runs > 1 else ''} of at most {limit:.0f} s: {minutes} "
        f"minute{'s' if minutes > 1 else ''} at most; up to {max(1.0, scratch_bytes(sites) / 1e9 + 0.2 * sites):.1f} "
        "GB of memory")
    say("  root       only for installing packages. Networks are made by root, or else inside a user "
        "namespace,\n             where the emulator cannot keep idle processors awake and may be late")
    say("  leaves     only the build folder, with the report in it; Ctrl-C at any time")


def check_tun():
    """Better now than after the build."""
    if not os.path.exists(TUN):
        raise Failure(f"{TUN} is missing, and the emulated WAN is made with it; `modprobe tun` as root, or "
                      "let the container have the device")
    if not os.access(TUN, os.R_OK | os.W_OK):
        raise Failure(f"{TUN} may not be opened by this user; its usual mode is 0666: `chmod 666 {TUN}` "
                      "as root")


def install(*names):
    process = subprocess.Popen([os.path.join(ROOT, ".ci", "install"), *names])
    try:
        code = process.wait()
    except KeyboardInterrupt:
        process.wait()  # it has heard it too, and leaves the packages as they may be left
        raise
    if code != 0:
        raise Failure("the packages could not be installed; the lines above say why")


def program(name):
    return os.path.join(BUILD, {**PROGRAMS, **SUITE_PROGRAMS}[name], name)


def how_far(log_path):
    """The last "12/345" of ninja's log; empty when there is none yet."""
    with open(log_path, "rb") as log:
        log.seek(max(0, os.path.getsize(log_path) - 4096))
        steps = re.findall(rb"^\[(\d+/\d+)\]", log.read(), re.MULTILINE)
    return steps[-1].decode() if steps else ""


def _run(registry, command, log_path, console):
    with open(log_path, "ab") as log:
        process = registry.start(command, stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=subprocess.STDOUT, cwd=ROOT)
    began = time.monotonic()
    try:
        while True:
            try:
                code = process.wait(BUILD_LOOK_SECONDS)
                break
            except subprocess.TimeoutExpired:
                console.progress("build", f"  {time.monotonic() - began:5.0f} s  {how_far(log_path)}")
    except KeyboardInterrupt:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)  # with the compilers that it has started
        raise
    if code != 0:
        with open(log_path, encoding="utf-8", errors="replace") as log:
            tail = "".join(log.readlines()[-30:])
        raise Failure(f"{' '.join(command[:4])} … failed; {log_path} ends with:\n{tail}")


def build(registry, console, names, port="uring"):
    """Configures and builds only `names`."""
    os.makedirs(BUILD, exist_ok=True)
    log_path = os.path.join(BUILD, "build.log")
    if os.path.exists(log_path):
        os.unlink(log_path)
    began = time.monotonic()
    # -O2: what all warnings are checked with; the trainer sets its own -O3.
    _run(registry, ["cmake", "-S", ROOT, "-B", BUILD, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
          "-DCMAKE_CXX_FLAGS_RELEASE=-O2 -DNDEBUG", "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache",
          "-DGODWIT_TESTS=OFF", f"-DGODWIT_DPDK={'ON' if port == 'dpdk' else 'OFF'}"], log_path, console)
    _run(registry, ["ninja", "-C", BUILD, *names], log_path, console)
    console.say(f"built in {time.monotonic() - began:.0f} s")
