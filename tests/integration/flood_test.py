"""Junk at 100,000 datagrams a second from strangers and from forged peers, at gateways under load.

Run inside `unshare -rUn`: forging needs a raw socket, and the loopback of a namespace of its own.
What it costs in goodput is a figure of `bench/run dataplane`.
"""
import json
import os
import subprocess
import unittest

import lab as harness

PPS = 100_000
SECONDS = 5


class Flood(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        subprocess.run(["ip", "link", "set", "dev", "lo", "up"], check=True)
        # AddressSanitizer keeps what was freed, which is no growth of ours.
        os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"

    def setUp(self):
        self.lab = harness.Lab(sites=("a", "b"))
        self.addCleanup(self.lab.__exit__)
        self.lab.start_all()
        self.lab.wait_healthy()
        self.publisher = self.lab.publisher("a", "publisher", values=50)
        self.auditor = self.lab.auditor("b")
        for _ in range(20):  # what training needs is there before the flood
            self.learn()

    def learn(self):
        self.assertRegex(self.auditor.ask("next 60", 70), "^at ")

    def flood(self, source):
        """b under junk; returns what was sent and by how many kB its process grew, at most."""
        process = self.lab.gateways["b"].process
        before = largest = harness.resident_kb(process)
        junk = subprocess.Popen([harness.JUNK, "--from", source, "--to", f"127.0.0.1:{self.lab.ports['b']}",
                                 "--pps", str(PPS), "--seconds", str(SECONDS)],
                                stdout=subprocess.PIPE, text=True)
        while junk.poll() is None:
            largest = max(largest, harness.resident_kb(process))
            harness.time.sleep(0.05)
        self.assertEqual(junk.returncode, 0)
        sent = json.loads(junk.communicate()[0])["sent"]
        grown = max(largest, harness.resident_kb(process)) - before
        print(f"count: junk from {source} sent {sent}, resident memory grew by {grown} kB", flush=True)
        return sent, grown

    def check(self, source, reasons):
        """Survived, bounded, and every single datagram counted somewhere."""
        def counted():
            by_reason = self.lab.metric("b", "godwit_endpoint_dropped_packets_total")
            return {"kernel": self.lab.ask("b", "link")["port"]["receive_dropped"],
                    **{reason: int(by_reason[reason,]) for reason in reasons}}

        before = counted()
        sent, grown = self.flood(source)
        self.assertLess(grown, harness.GROWTH_MAX_KB)
        self.learn()  # training goes on
        self.lab.wait_for(lambda: sum(counted().values()) - sum(before.values()) >= sent,
                          f"{sent} datagrams are counted")
        print("count: dropped, and why", counted(), flush=True)
        self.lab.wait_healthy()
        self.assertEqual(self.publisher.end(), 0, self.publisher.text())
        self.assertRegex(self.auditor.ask(f"check 60 {self.lab.log_of('publisher')}", 90), "^equal ")
        for site in self.lab.sites:
            self.assertEqual(self.lab.ask(site, "ledger")["defect"], 0)
            self.assertEqual(self.lab.gateways[site].end(), 0)

    def test_junk_from_a_stranger_is_survived_counted_and_costs_no_memory(self):
        self.check("127.0.0.9:9", ("unknown_source",))

    def test_junk_with_a_peers_address_is_survived_counted_and_costs_no_memory(self):
        self.check(f"127.0.0.1:{self.lab.ports['a']}", ("unmatched", "late", "malformed"))


if __name__ == "__main__":
    unittest.main()
