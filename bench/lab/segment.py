"""Sites on one Ethernet, each with a network of its own, and a stranger at its switch.

    site 0 ── wan0 ──┐
    site 1 ── wan0 ──┤ a bridge with an address of its own: who runs there may send to all
"""

import json

from bench.lab.addresses import PREFIX, Addressed
from bench.lab.namespaces import Namespaces

STRANGER = "10.9.9.9"
DELAY_MS = 0.5  # one way; what the ends of a link are told, since an Ethernet has hardly any


class Segment(Namespaces, Addressed):
    """Stands in for a Wan where gateways are started; `rate_mbit` is what they cap their links at."""

    def __init__(self, registry, names, rate_mbit):
        super().__init__(registry, len(names) + 1)
        self._rate_mbit = rate_mbit
        switch = len(names)
        self.stranger = self.enter[switch]
        self.ip(switch, "link", "add", "lan0", "type", "bridge")
        self.ip(switch, "address", "add", f"{STRANGER}/{PREFIX}", "dev", "lan0")
        self.ip(switch, "link", "set", "dev", "lan0", "up")
        self.sites = []
        for index, name in enumerate(names):
            self.join(index, "wan0", switch, f"to{index}")
            self.ip(index, "link", "set", "dev", "lo", "up")  # for those who ask its gateway
            self.ip(switch, "link", "set", "dev", f"to{index}", "master", "lan0")
            address = f"10.9.0.{index + 1}"
            # A kernel that has to ask first loses most of what is sent until a busy gateway answers.
            mac = json.loads(self.ip(index, "-json", "link", "show", "dev", "wan0"))[0]["address"]
            self.ip(switch, "neighbour", "add", address, "lladdr", mac, "dev", "lan0")
            self.sites.append({"name": name, "address": address, "enter": self.enter[index]})
        self.give_addresses()

    def links(self):
        names = [site["name"] for site in self.sites]
        return {(a, b): {"rate_mbit": self._rate_mbit, "delay_ms": DELAY_MS}
                for a in names for b in names if a != b}
