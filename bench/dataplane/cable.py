"""Two network namespaces joined by a cable: a veth pair, both ends of it called wan0."""

import os
import subprocess
import time

from bench.lab.failure import Failure

ADDRESSES = ("10.9.0.1/24", "10.9.0.2/24")
PATIENCE_SECONDS = 10
HOLD = ["sleep", "infinity"]  # a namespace lives as long as a process in it


class Cable:
    """`enter[end]` are the words before a command that runs at that end; needs no privilege."""

    def __init__(self, registry):
        self._registry = registry
        self._holders = []
        first = self._hold(["unshare", "--map-root-user", "--user", "--net", *HOLD])
        self.enter = [self._words(first)]
        self.enter.append(self._words(self._hold([*self.enter[0], "unshare", "--net", *HOLD])))
        self._ip(0, "link", "add", "wan0", "type", "veth", "peer", "name", "wan0", "netns",
                 str(self._holders[1].pid))
        for end in (0, 1):
            self._ip(end, "link", "set", "dev", "wan0", "up")
        self._has_addresses = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._registry.end(self._holders)

    def set_addresses(self, wanted):
        """With addresses the kernels answer, without them nobody does but who holds the device."""
        for end in (0, 1):
            if wanted and not self._has_addresses:
                self._ip(end, "address", "add", ADDRESSES[end], "dev", "wan0")
            elif not wanted:
                self._ip(end, "address", "flush", "dev", "wan0")
        self._has_addresses = wanted

    @staticmethod
    def _words(holder):
        return ["nsenter", "--target", str(holder.pid), "--user", "--net", "--preserve-credentials"]

    def _hold(self, command):
        """Returns when the process is in the namespaces that it was asked to make."""
        process = self._registry.start(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self._holders.append(process)
        until = time.monotonic() + PATIENCE_SECONDS
        while process.poll() is None and time.monotonic() < until:
            try:
                with open(f"/proc/{process.pid}/comm", encoding="ascii") as file:
                    if file.read().strip() == HOLD[0]:
                        return process
            except OSError:
                pass
            time.sleep(0.01)
        self._registry.end([process])
        raise Failure(f"no network namespace: {' '.join(command)}")

    def _ip(self, end, *words):
        done = subprocess.run([*self.enter[end], "ip", *words], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"ip {' '.join(words)}: {done.stderr.strip()}")
