"""Two network namespaces joined by a cable: a veth pair, both ends of it called wan0."""

from bench.lab.namespaces import Namespaces

ADDRESSES = ("10.9.0.1/24", "10.9.0.2/24")


class Cable(Namespaces):
    def __init__(self, registry):
        super().__init__(registry, 2)
        self.join(0, "wan0", 1, "wan0")
        self._has_addresses = False

    def set_addresses(self, wanted):
        """With addresses the kernels answer, without them nobody does but who holds the device."""
        for end in (0, 1):
            if wanted and not self._has_addresses:
                self.ip(end, "address", "add", ADDRESSES[end], "dev", "wan0")
            elif not wanted:
                self.ip(end, "address", "flush", "dev", "wan0")
        self._has_addresses = wanted
