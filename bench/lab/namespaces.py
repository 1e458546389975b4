"""Network namespaces without a privilege, each for as long as this holds it."""

import subprocess
import time

from bench.lab.failure import Failure

PATIENCE_SECONDS = 10
HOLD = ["sleep", "infinity"]  # a namespace lives as long as a process in it


class Namespaces:
    """`enter[i]` are the words before a command that runs in namespace i. Use with `with`."""

    def __init__(self, registry, count):
        self._registry = registry
        self._holders = []
        self.enter = [self._words(self._hold(["unshare", "--map-root-user", "--user", "--net", *HOLD]))]
        while len(self.enter) < count:
            self.enter.append(self._words(self._hold([*self.enter[0], "unshare", "--net", *HOLD])))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._registry.end(self._holders)

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

    def ip(self, index, *words):
        """What `ip WORDS` says in namespace `index`."""
        done = subprocess.run([*self.enter[index], "ip", *words], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"ip {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def join(self, index, name, other, other_name):
        """A veth pair between two of them, both ends up."""
        self.ip(index, "link", "add", name, "type", "veth", "peer", "name", other_name, "netns",
                str(self._holders[other].pid))
        self.ip(index, "link", "set", "dev", name, "up")
        self.ip(other, "link", "set", "dev", other_name, "up")
