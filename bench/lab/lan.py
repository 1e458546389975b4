"""The LAN of the comparison: kernel TCP over veth pairs between the same site namespaces.

Every pair of sites gets a veth of its own, each end shaped to 1 Gbit/s by the kernel's token bucket.
Addresses are 10.78.0.1, .2, … beside the WAN's.
"""

import json
import subprocess

from bench.lab.failure import Failure

RATE = "1gbit"
# One GSO train of the kernel must fit into the bucket, or it is cut up; 4 ms of queue.
SHAPE = ["tbf", "rate", RATE, "burst", "256kb", "latency", "4ms"]


def _enter(site, command):
    done = subprocess.run(site["enter"] + command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"in site {site['name']}: {' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def _device(peer):
    return f"lan{peer}"


class Lan:
    """Exists from construction to `close`."""

    def __init__(self, sites):
        self.sites = sites
        self.addresses = [f"10.78.0.{index + 1}" for index in range(len(sites))]
        try:
            for a in range(len(sites)):
                for b in range(a + 1, len(sites)):
                    _enter(sites[a], ["ip", "link", "add", _device(b), "type", "veth", "peer",
                                      "name", _device(a), "netns", sites[b]["netns"]])
                    self._raise(a, b)
                    self._raise(b, a)
        except Failure:
            self.close()
            raise

    def _raise(self, own, peer):
        device = _device(peer)
        _enter(self.sites[own], ["ip", "address", "add", self.addresses[own], "peer",
                                 self.addresses[peer], "dev", device])
        _enter(self.sites[own], ["ip", "link", "set", device, "up"])
        _enter(self.sites[own], ["tc", "qdisc", "add", "dev", device, "root", *SHAPE])

    def stats(self):
        """As the emulator's: bytes per directed pair; here what the devices have sent, layer 3."""
        pairs = []
        total = 0
        for own, site in enumerate(self.sites):
            for link in json.loads(_enter(site, ["ip", "-s", "-j", "link", "show", "type", "veth"])):
                peer = int(link["ifname"][3:])
                sent = link["stats64"]["tx"]
                count = sent["bytes"] - 14 * sent["packets"]
                total += count
                pairs.append({"from": site["name"], "to": self.sites[peer]["name"],
                              "bytes": count})
        return {"pairs": pairs, "bytes_total": total, "lateness_ms": {"p99": 0.0}, "sites": []}

    def close(self):
        for a, site in enumerate(self.sites):
            for b in range(a + 1, len(self.sites)):
                subprocess.run(site["enter"] + ["ip", "link", "delete", _device(b)],
                               capture_output=True)
