"""The addresses of sites that share a network, on the device that leads to the others."""

import subprocess

from bench.lab.failure import Failure

PREFIX = 16  # of all sites' common network


class Addressed:
    """`sites` are dictionaries with name, address and enter."""

    sites: list

    def _configure(self, site, *words):
        command = [*site["enter"], "ip", "address", *words, "dev", "wan0"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"{' '.join(command)}: {done.stderr.strip()}")

    def take_addresses(self):
        """From now on the sites' kernels have no part in the network: no address, so no answer."""
        for site in self.sites:
            self._configure(site, "flush")

    def give_addresses(self):
        """As they were; neighbours are asked for, and answer."""
        for site in self.sites:
            self._configure(site, "add", f"{site['address']}/{PREFIX}")
