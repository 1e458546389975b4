"""A job that a person started and may stop at any moment: nothing of it stays behind."""

import signal
import sys

from bench.lab.console import Console
from bench.lab.failure import Failure
from bench.lab.processes import Registry

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _stop(number, frame):
    for other in STOPPING:  # a second Ctrl-C must not leave half of it behind
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt


def run(name, job):
    """The exit status of job(registry, console): 3 when it could not be done, 130 on Ctrl-C."""
    for number in STOPPING:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, _stop)
    console, registry = Console(), Registry()
    try:
        return job(registry, console)
    except KeyboardInterrupt:
        console.say("interrupted; cleaning up")
        return 130
    except Failure as failure:
        console.finish_line()
        print(f"{name}: {failure}", file=sys.stderr)
        return 3
    finally:
        for number in STOPPING:
            signal.signal(number, signal.SIG_IGN)
        registry.close()
