"""The WAN emulator as seen from Python: start it, ask it, change it (bench/wan/README.md)."""

import json
import os
import re
import socket
import subprocess

from bench.lab.addresses import Addressed
from bench.lab.failure import Failure

CAP_NET_ADMIN, CAP_SYS_ADMIN = 12, 21  # linux/capability.h
SEED = ":SEED"  # ends the name of a preset that is drawn
TABLE = os.path.join(os.path.dirname(__file__), "..", "wan", "presets.cc")
ROW = re.compile(r'^    \{"([^"]+)",\s+PresetShape::k(\w+),$', re.MULTILINE)


class Wan(Addressed):
    """One running godwit-wan."""

    def __init__(self, program, registry, name, sites):
        self._registry = registry
        self.folder = registry.folder("godwit-wan.")
        self.socket_path = os.path.join(self.folder, "wan.sock")
        self.log_path = os.path.join(self.folder, "wan.log")
        command = [program, "run", "--wan", name, "--sites", str(sites), "--socket",
                   self.socket_path, "--dir", self.folder, "--die-with-parent"]
        if not may_make_networks():
            command.append("--unprivileged")
        with open(self.log_path, "wb") as log:
            self.process = registry.start(command, stdout=subprocess.PIPE, stderr=log,
                                          stdin=subprocess.DEVNULL)
        line = self.process.stdout.readline()
        if not line:
            with open(self.log_path, encoding="utf-8", errors="replace") as log:
                raise Failure(f"the WAN emulator does not start: {log.read().strip()}")
        ready = json.loads(line)
        self.name = ready["wan"]
        self.sites = ready["sites"]
        self.unprivileged = ready.get("unprivileged", False)
        self._connect()

    def _connect(self):
        self._channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._channel.connect(self.socket_path)
        self._answers = self._channel.makefile("r", encoding="utf-8")

    def _answer(self, request):
        """The line that answers; empty when the connection has ended."""
        try:
            self._channel.sendall(request)
            return self._answers.readline()
        except OSError:
            return ""

    def close(self):
        self._answers.close()
        self._channel.close()
        self._registry.end([self.process])

    def ask(self, op, **members):
        members["op"] = op
        request = json.dumps(members).encode() + b"\n"
        line = self._answer(request)
        if not line:  # it may have closed the connection in favour of others'; asking twice does no harm
            try:
                self._connect()
            except OSError as error:
                raise Failure("the WAN emulator has ended") from error
            line = self._answer(request)
        if not line:
            raise Failure("the WAN emulator has ended")
        answer = json.loads(line)
        if not answer.get("ok"):
            raise Failure(f"the WAN emulator refuses {op}: {answer.get('error')}")
        return answer

    def reset(self):
        self.ask("reset")

    def cut(self, a, b):
        """Both directions between two sites, by name."""
        self.ask("cut", **{"from": a, "to": b})

    def heal(self, a, b):
        self.ask("heal", **{"from": a, "to": b})

    def stats(self):
        return self.ask("stats")

    def links(self):
        """{(from, to): {"rate_mbit", "delay_ms", ...}}"""
        return {(link["from"], link["to"]): link for link in self.ask("links")["links"]}

    def round_trip_ms(self, a, b):
        links = self.links()
        return links[a, b]["delay_ms"] + links[b, a]["delay_ms"]

    def delays_to(self, index):
        """One-way delays in ms from every site to the site `index`, in order of sites."""
        links = self.links()
        own = self.sites[index]["name"]
        return [0.0 if site["name"] == own else links[site["name"], own]["delay_ms"]
                for site in self.sites]

    def character(self):
        """What kind of WAN it is, for finding learning rates: geometric mean rate and round trip."""
        product_rate = product_rtt = 1.0
        links = self.links()
        for (a, b), link in links.items():
            product_rate *= (link["rate_mbit"] or 1e5) ** (1 / len(links))
            rtt = link["delay_ms"] + links[b, a]["delay_ms"]
            product_rtt *= max(rtt, 0.01) ** (1 / len(links))
        return {"rate_mbit": product_rate, "rtt_ms": product_rtt, "sites": len(self.sites)}

    def socket_buffer(self):
        """Bytes for TCP's socket buffers: 4 bandwidth-delay products of the fattest link, since the
        kernel offers about half of a receive buffer as window; at least 4 MiB."""
        links = self.links()
        largest = 0.0
        for (a, b), link in links.items():
            rtt = link["delay_ms"] + links[b, a]["delay_ms"]
            largest = max(largest, (link["rate_mbit"] or 0) * 1e6 / 8 * rtt / 1e3)
        return int(min(max(4 * largest, 4 << 20), 512 << 20))


def may_make_networks():
    """Root of a real machine or of `unshare -rUn`; others need a user namespace of the emulator's."""
    with open("/proc/self/status", encoding="ascii") as file:
        effective = next(int(line.split()[1], 16) for line in file if line.startswith("CapEff:"))
    return all(effective >> capability & 1 for capability in (CAP_NET_ADMIN, CAP_SYS_ADMIN))


def names():
    """Those of `presets`, before anything is built: read from their table in C++."""
    with open(TABLE, encoding="utf-8") as file:
        return [name + (SEED if shape == "Drawn" else "") for name, shape in ROW.findall(file.read())]


def is_wan(text):
    """Whether the emulator will know it."""
    name, colon, seed = text.partition(":")
    if not colon:
        return text in names()
    return name + SEED in names() and re.fullmatch("[0-9]{1,20}", seed) is not None and int(seed) < 1 << 64


def presets(program):
    out = subprocess.run([program, "presets", "--json"], check=True, capture_output=True)
    return json.loads(out.stdout)


def _uniform(program):
    """Those with one rate for all pairs."""
    return [preset for preset in presets(program) if preset["rate_mbit"]]


def scarcest(program):
    """The default WAN: of those with one rate for all pairs, the one with the least."""
    return min(_uniform(program), key=lambda preset: preset["rate_mbit"])["name"]


def amplest(program):
    """Where the network is not what matters: of those with one rate, the one with the most."""
    return max(_uniform(program), key=lambda preset: preset["rate_mbit"])["name"]
