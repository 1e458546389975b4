"""What the machine must have: packages, a build, and the right to make network namespaces."""

import os
import subprocess
import time

from bench.lab.failure import Failure

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.join(ROOT, ".build", "quickstart")
BASELINE_PROGRAMS = {"godwit-wan": "bench/wan", "godwit-site": "bench/workloads/programs",
                     "godwit-evaluator": "bench/workloads/programs"}
GODWIT_PROGRAMS = {"godwitd": "api/gateway", "godwit": "api/cli",
                   "godwit-auditor": "bench/workloads/programs"}
PROGRAMS = {**BASELINE_PROGRAMS, **GODWIT_PROGRAMS}


def announce(say, runs, limit):
    """Says what will happen before anything does."""
    dry = subprocess.run([os.path.join(ROOT, ".ci", "install"), "--dry-run", "run"],
                         capture_output=True, text=True)
    words = dry.stderr.strip() or dry.stdout.strip()
    say("bench/quickstart trains one model at several sites over an emulated WAN and compares ways "
        "to connect them.")
    say(f"  packages   {words or 'all are installed, nothing to download'}")
    size = sum(os.path.getsize(path) for path in map(program, PROGRAMS) if os.path.exists(path))
    state = "is there, brought up to date" if size else "about 150 MB and 2 to 5 minutes"
    say(f"  build      {BUILD}: {state}")
    say(f"  run        {runs} runs of at most {limit:.0f} s: at most "
        f"{(runs * (limit + 7)) / 60:.0f} minutes; up to 1 GB of memory")
    say("  root       only for installing packages; network namespaces are made as root, or inside a "
        "user namespace when you are not")
    say("  leaves     nothing but the build folder and its report; Ctrl-C at any time")


def install():
    done = subprocess.run([os.path.join(ROOT, ".ci", "install"), "run"])
    if done.returncode != 0:
        raise Failure("the packages could not be installed; the lines above say why")


def program(name):
    return os.path.join(BUILD, PROGRAMS[name], name)


def _run(command, log_path):
    with open(log_path, "ab") as log:
        done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
    if done.returncode != 0:
        with open(log_path, encoding="utf-8", errors="replace") as log:
            tail = "".join(log.readlines()[-30:])
        raise Failure(f"{' '.join(command[:4])} … failed; {log_path} ends with:\n{tail}")


def build(say, names):
    """Configures and builds only `names`."""
    os.makedirs(BUILD, exist_ok=True)
    log_path = os.path.join(BUILD, "build.log")
    if os.path.exists(log_path):
        os.unlink(log_path)
    began = time.monotonic()
    # -O2: what all warnings are checked with; the trainer sets its own -O3.
    _run(["cmake", "-S", ROOT, "-B", BUILD, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
          "-DCMAKE_CXX_FLAGS_RELEASE=-O2 -DNDEBUG", "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache",
          "-DGODWIT_TESTS=OFF"], log_path)
    _run(["ninja", "-C", BUILD, *names], log_path)
    say(f"built in {time.monotonic() - began:.0f} s")
