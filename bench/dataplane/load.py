"""A link between two gateways that is kept full by what is published at the first one."""

import subprocess
import time

from bench.lab.failure import Failure

SETTLE_SECONDS = 2.0


def bytes_over(gateways, own, counter):
    """The sum of "sent_bytes" or "received_bytes" of one end's connections, layer 3."""
    answer = gateways.ask(own, "link", gateways.names[1 - own])
    if answer is None:
        raise Failure("a gateway does not answer under load")
    counts = [link[counter] for link in answer["links"]]
    if len(counts) != gateways.connections:
        raise Failure(f"the link has {len(counts)} connections, not {gateways.connections}")
    return sum(counts)


class Load:
    """Runs from its making on; use with `with`."""

    def __init__(self, lab, gateways, shards):
        self._lab = lab
        self._process = lab.registry.start(
            [lab.program("godwit-load"), "--from", gateways.socket(0), "--to", gateways.socket(1),
             "--shards", str(shards)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self._process.stdout.readline().strip() != "ready":
            raise Failure(self._complaint())
        time.sleep(SETTLE_SECONDS)

    def _complaint(self):
        return self._process.communicate()[1].strip() or "godwit-load ended by itself"

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None and self._process.poll() is not None:
            raise Failure(self._complaint())
        self._lab.registry.end([self._process])
