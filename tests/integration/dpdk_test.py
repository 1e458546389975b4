"""Gateways on DPDK: over the TAP devices of the emulated WAN, without a socket, without an address.

Run as root and inside `unshare -rUn`; the drivers are DPDK's packet sockets.
"""
import json
import os
import pathlib
import time
import unittest

import captures
import emulated_wan
import lab as harness
from bench.lab.segment import Segment

RATE_MBIT = 200.0
JUNK_PPS, JUNK_SECONDS = 100_000, 3
HUGE_MIB_ENOUGH = 64  # a gateway's buffers and DPDK's own: 42 MiB
HUGE_PAGES = 128  # 256 MiB where they have 2 MiB: enough beside gateways of other tests
# Of an idle gateway, a second: about 500 and 10, less on a busy machine. One that does not rest has
# none and thousands.
SLEEPS_MIN, TURNS_MAX = 20, 500
RESERVED = pathlib.Path("/proc/sys/vm/nr_hugepages")
METRICS_SECONDS = 0.25  # between two writings of the metrics
TILE = 32_768  # elements of the least shard
PORT = 'kind = "dpdk"\ndevice = "af_packet:wan0"\nprefix = 16\n'


def is_host_root():
    """Not of a user namespace, whose root the kernel lets do less."""
    return os.geteuid() == 0 and pathlib.Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]


class Dpdk(unittest.TestCase):
    def setUp(self):
        self.registry, self.wan = emulated_wan.of_two_sites(self)
        self.places = {name: place for name, place in zip("ab", self.wan.sites)}
        self.pair = [place["name"] for place in self.wan.sites]

    def inside(self, site, *words):
        done = harness.run(*self.places[site]["enter"], *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def lab(self, port=PORT, workers=1):
        lab = harness.Lab(sites=("a", "b"), places=self.places, port=port, connections=workers,
                          workers={site: workers for site in "ab"})
        self.addCleanup(lab.__exit__)
        return lab

    def started(self, workers=1, port=PORT):
        """Both gateways; no frame reaches a port that is not open yet, so that counts may be equal."""
        self.wan.take_addresses()
        self.wan.cut(*self.pair)
        lab = self.lab(port, workers)
        lab.start_all()
        self.wan.heal(*self.pair)
        lab.wait_healthy()
        return lab

    def training(self, workers=1, port=PORT):
        """A publisher at one site, what arrives at the other; of each worker a shard."""
        lab = self.started(workers, port)
        topic = {"elements": workers * TILE + 100, "shards": workers} if workers > 1 else {}
        return lab, lab.publisher("a", "publisher", values=50, **topic), lab.auditor("b", **topic)

    def check_sums(self, lab, publisher, auditor):
        self.assertEqual(publisher.end(), 0, publisher.text())
        self.assertRegex(auditor.ask(f"check 60 {lab.log_of('publisher')}", 90), "^equal ")

    def addresses(self, site):
        listed = json.loads(self.inside(site, "ip", "-json", "address", "show", "dev", "wan0"))
        return listed[0]["addr_info"]

    def table(self, lab, site, kind):
        """The rows of /proc/net/KIND in the gateway's network namespace."""
        process = lab.gateways[site].process.pid
        return pathlib.Path(f"/proc/{process}/net/{kind}").read_text().splitlines()[1:]

    def counted(self, lab):
        """DPDK's counts of frames and packets, both ways, of both sites."""
        counts = []
        for site in self.places:
            for what in ("frames", "packets"):
                of = lab.metric(site, f"godwit_port_{what}_total")
                counts += [of["sent",], of["received",]]
        return counts

    def emulated(self):
        """The emulator's counts of the same."""
        stats = self.wan.stats()
        taps = {tap["name"]: tap for tap in stats["sites"]}
        counts = []
        for name in (place["name"] for place in self.places.values()):
            counts += [taps[name]["frames_in"], taps[name]["frames_out"],
                       sum(p["packets_in"] for p in stats["pairs"] if p["from"] == name),
                       sum(p["packets"] for p in stats["pairs"] if p["to"] == name)]
        return counts

    def test_training_goes_on_over_frames_alone(self):
        lab, publisher, auditor = self.training()
        for site in ("a", "b"):
            self.assertEqual(self.addresses(site), [])
            self.assertEqual(self.table(lab, site, "udp") + self.table(lab, site, "udp6"), [])
            self.assertNotEqual(self.table(lab, site, "packet"), [])
        for _ in range(50):
            self.assertRegex(auditor.ask("next 30", 40), "^at ")
        self.check_sums(lab, publisher, auditor)
        lab.wait_healthy()
        self.check_counts(lab)
        self.check_end(lab)

    def check_counts(self, lab):
        """Nothing is lost between the two once the link is cut. Neighbours are asked for and peers are
        dialled all the while, and metrics are written every 250 ms: the emulator's count lies between
        DPDK's before and after."""
        self.wan.cut(*self.pair)

        def agree():
            before, emulated = self.counted(lab), self.emulated()
            time.sleep(2 * METRICS_SECONDS)
            agree.last = list(zip(before, emulated, self.counted(lab)))
            return all(low <= count <= high for low, count, high in agree.last)

        try:
            lab.wait_for(agree, "equal counts")
        except TimeoutError:
            self.fail(f"DPDK and the emulator count differently: {agree.last}")
        self.assertTrue(all(low > 20 for low, _, _ in agree.last), agree.last)
        print("count: frames and packets (DPDK, emulator, DPDK)", *agree.last)
        self.wan.heal(*self.pair)

    def check_end(self, lab):
        lab.wait_healthy()
        for site in ("a", "b"):
            self.assertEqual(lab.ask(site, "ledger", codes=(0,))["defect"], 0)
            self.assertEqual(lab.gateways[site].end(), 0, lab.gateways[site].text())

    def test_each_worker_has_a_queue_pair_and_both_carry_their_shards(self):
        lab, publisher, auditor = self.training(workers=2)
        for _ in range(50):
            self.assertRegex(auditor.ask("next 30", 40), "^at ")
        self.check_sums(lab, publisher, auditor)
        for site, other in ("ab", "ba"):
            self.assertIn("queue pairs: 2", lab.gateways[site].text())
            self.assertEqual(len(self.table(lab, site, "packet")), 2, "a packet socket each")
            self.assertEqual(self.table(lab, site, "udp") + self.table(lab, site, "udp6"), [])
            links = lab.ask(site, "link", other, codes=(0,))["links"]
            self.assertEqual(sorted(link.get("connection", 0) for link in links), [0, 1])
            for link in links:  # each is another worker's
                self.assertEqual(link["state"], "up", links)
                self.assertGreater(link["sent_bytes"], 0, links)
                self.assertGreater(link["received_bytes"], 0, links)
                self.assertGreater(link["sent_transfers" if site == "a" else "received_transfers"], 0)
        self.check_counts(lab)
        self.check_end(lab)

    def test_each_worker_captures_whole_packets(self):
        self.wan.take_addresses()
        lab = self.lab(workers=2)
        lab.port = PORT + f'capture = "{lab.folder}/{{site}}.pcap"\n'
        lab.start_all()
        lab.wait_healthy()
        topic = {"elements": 2 * TILE + 100, "shards": 2}
        publisher, auditor = lab.publisher("a", "publisher", values=50, **topic), lab.auditor("b", **topic)
        self.check_sums(lab, publisher, auditor)
        self.check_end(lab)
        for worker, name in enumerate(("a.pcap", "a.pcap.worker1")):
            found = captures.packets(lab.folder / name)
            self.assertGreater(len(found), 10)
            own = lab.ports["a"] + worker
            self.assertTrue(all(own in (one, other) for one, other, _, _ in found), "of its own port")
            self.assertTrue(any(captures.is_quic_greeting(payload) for _, _, _, payload in found))
            captures.judge_by_tshark(self, lambda: lab.folder / name)

    def test_says_that_a_device_has_too_few_queue_pairs(self):
        port = 'kind = "dpdk"\ndevice = "net_af_packet0,iface=wan0"\nprefix = 16\n'
        gateway = self.lab(port, workers=2).start("a", wait=False)
        self.assertEqual(gateway.process.wait(60), 1, gateway.text())
        self.assertIn("net_af_packet0,iface=wan0: has 1 queue pair, and 2 workers want one each: "
                      "`workers = 1` in [self], or a device that has more", gateway.text())

    def test_sleeps_when_there_is_nothing_to_do(self):
        """It looks into its queue every 2 ms and gives the processor away in between; the share of a core
        is a figure of `bench/run dataplane`."""
        lab = self.started()

        def sleeps(site):
            """Of all its threads; but for the worker they look up a few times a second."""
            tasks = pathlib.Path(f"/proc/{lab.gateways[site].process.pid}/task").iterdir()
            return sum(int(line.split()[1]) for task in tasks
                       for line in (task / "status").read_text().splitlines()
                       if line.startswith("voluntary_ctxt_switches:"))

        harness.time.sleep(2)  # what began with the session is done
        before = {site: sleeps(site) for site in "ab"}
        turns = {site: lab.metric(site, "godwit_worker_turns_total")["0",] for site in "ab"}
        begun = harness.time.monotonic()
        harness.time.sleep(5)
        passed = harness.time.monotonic() - begun
        for site in "ab":
            slept = (sleeps(site) - before[site]) / passed
            turned = (lab.metric(site, "godwit_worker_turns_total")["0",] - turns[site]) / passed
            print(f"count: sleeps of the idle gateway {site} a second {slept:.0f}, turns {turned:.0f}")
            self.assertGreater(slept, SLEEPS_MIN)
            self.assertLess(turned, TURNS_MAX)

    def test_says_what_is_missing(self):
        for port, said in (
                ('kind = "dpdk"\ndevice = "af_packet:wan7"\n', "af_packet:wan7: interface wan7: "),
                ('kind = "dpdk"\ndevice = "af_packet:wan0"\nmtu = 9000\n', "ip link set dev wan0 mtu 9000"),
                ('kind = "dpdk"\ndevice = "net_af_packet0,iface=wan0"\nmtu = 9000\n', "ip link set dev wan0 mtu 9000"),
                ('kind = "dpdk"\ndevice = "net_nonsense0"\n', "net_nonsense0: DPDK cannot attach it"),
                ('kind = "dpdk"\ndevice = "0000:ff:1f.7"\n',
                 "0000:ff:1f.7: DPDK finds no network card there. There is no PCI device")):
            with self.subTest(port):
                gateway = self.lab(port).start("a", wait=False)
                self.assertEqual(gateway.process.wait(60), 1, gateway.text())
                self.assertIn(said, gateway.text())

    def reserved(self, pages):
        """MiB in huge pages that are free, of so many wanted; what there was comes back with the end."""
        before = RESERVED.read_text()
        if not os.access(RESERVED, os.W_OK) or not is_host_root():
            print("count: only the host's root may reserve huge pages; those that are there are used")
        else:
            self.addCleanup(RESERVED.write_text, before)
            RESERVED.write_text(str(pages))
        lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
        number = {line.split(":")[0]: int(line.split()[1]) for line in lines}
        return number["HugePages_Free"] * number["Hugepagesize"] // 1024

    def test_takes_huge_pages_where_they_are_and_does_without_where_not(self):
        for pages in (HUGE_PAGES, 0):
            free_mib = self.reserved(pages)
            gateway = self.lab().start("a", wait=False)
            harness.Lab.wait_for(lambda: "listens on" in gateway.text() or not gateway.running, "it")
            self.assertTrue(gateway.running, gateway.text())
            used = "--in-memory" if "--in-memory" in gateway.text() else "--no-huge"
            print(f"count: MiB of huge pages free {free_mib}, DPDK starts with {used}")
            self.assertIn(used, gateway.text())
            if free_mib >= HUGE_MIB_ENOUGH:
                self.assertEqual(used, "--in-memory")
            elif free_mib == 0:
                self.assertEqual(used, "--no-huge")
            self.assertEqual(gateway.end(), 0)

    def test_says_how_to_reserve_huge_pages_that_it_must_have(self):
        free_mib = self.reserved(0)
        gateway = self.lab(PORT + 'huge_pages = "always"\n').start("a", wait=False)
        harness.Lab.wait_for(lambda: "listens on" in gateway.text() or not gateway.running, "it")
        if gateway.running:
            self.assertGreater(free_mib, 0)
            self.assertIn("--in-memory", gateway.text())
        else:
            self.assertRegex(gateway.text(), rf"af_packet:wan0: DPDK needs \d+ MiB in huge pages, and {free_mib} "
                             "MiB are free: `sysctl vm.nr_hugepages=N`")
            self.assertLess(free_mib, HUGE_MIB_ENOUGH)

    def test_junk_from_strangers_is_survived_counted_and_costs_no_memory(self):
        """For one worker, through the queues of both."""
        segment = Segment(self.registry, ("Left", "Right"), RATE_MBIT)
        self.addCleanup(segment.close)
        segment.take_addresses()
        self.places = dict(zip("ab", segment.sites))
        lab = self.lab(workers=2)
        lab.start_all()
        lab.wait_healthy()
        topic = {"elements": 2 * TILE + 100, "shards": 2}
        publisher, auditor = lab.publisher("a", "publisher", values=50, **topic), lab.auditor("b", **topic)
        for _ in range(5):  # what training needs is there before the flood
            self.assertRegex(auditor.ask("next 60", 70), "^at ")
        process = lab.gateways["b"].process

        def counted():
            report = lab.ask("b", "link")["port"]
            strangers = lab.metric("b", "godwit_endpoint_dropped_packets_total")["unknown_source",]
            return int(strangers) + report.get("receive_dropped", 0)

        before, resident = counted(), harness.resident_kb(process)
        junk = harness.run(*segment.stranger, harness.JUNK, "--from", "192.0.2.9:0", "--to",
                           f"{segment.sites[1]['address']}:{lab.ports['b']}", "--pps", JUNK_PPS,
                           "--seconds", JUNK_SECONDS)
        self.assertEqual(junk.returncode, 0, junk.stderr)
        sent = json.loads(junk.stdout)["sent"]
        grown = harness.resident_kb(process) - resident
        print(f"count: junk sent {sent}, resident memory grew by {grown} kB")
        self.assertLess(grown, harness.GROWTH_MAX_KB)
        lab.wait_for(lambda: counted() - before >= sent, f"{sent} datagrams are counted")
        self.assertRegex(auditor.ask("next 60", 70), "^at ")  # training goes on
        self.check_sums(lab, publisher, auditor)
        self.check_end(lab)

    def veth_pair(self):
        """An end of one in a network of its own for either site, under the name wan0."""
        holders = [self.registry.start(["unshare", "--net", "sleep", "infinity"]) for _ in "ab"]
        own = os.stat("/proc/self/ns/net").st_ino
        harness.Lab.wait_for(lambda: all(
            os.stat(f"/proc/{holder.pid}/ns/net").st_ino != own for holder in holders), "two networks")
        one, other = (str(holder.pid) for holder in holders)
        ip = ("ip", "link", "add", "wan0", "netns", one, "type", "veth", "peer", "name", "wan0", "netns", other)
        done = harness.run(*ip)
        self.assertEqual(done.returncode, 0, done.stderr)
        for site, holder in zip("ab", holders):
            self.places[site] = self.places[site] | {"enter": ["nsenter", "-t", str(holder.pid), "--net"]}
            self.inside(site, "ip", "link", "set", "dev", "lo", "up")
            self.inside(site, "ip", "link", "set", "dev", "wan0", "addrgenmode", "none", "up")

    def test_speaks_through_xdp_sockets_where_the_host_lets_it(self):
        self.veth_pair()
        lab = self.lab(PORT.replace("af_packet", "af_xdp"))
        # When its device is closed, DPDK's driver leaves 80 bytes of libxdp's behind.
        known = lab.folder / "leaks"
        known.write_text("leak:xsk_umem__create\n")
        for place in self.places.values():
            place["enter"] += ["env", f"LSAN_OPTIONS=suppressions={known}:print_suppressions=0"]
        if not is_host_root():
            gateway = lab.start("a", wait=False)
            self.assertEqual(gateway.process.wait(60), 1, gateway.text())
            self.assertRegex(gateway.text(), "af_xdp:wan0: DPDK cannot .*(user namespace|lacks CAP_)")
            print("count: only the host's root may use XDP sockets, and the gateway says so")
            return
        lab.start_all()
        lab.wait_healthy()
        publisher, auditor = lab.publisher("a", "publisher", values=50), lab.auditor("b")
        self.check_sums(lab, publisher, auditor)
        for site in "ab":
            self.assertEqual(lab.ask(site, "link")["port"]["kind"], "net_af_xdp")
            self.assertEqual(self.table(lab, site, "udp") + self.table(lab, site, "packet"), [])
        self.go_down_and_up(lab)
        lab.wait_healthy()
        self.check_sums(lab, publisher, auditor)
        self.check_end(lab)

    def test_names_the_missing_capability(self):
        self.wan.take_addresses()
        lab = self.lab()
        drop = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-all", "--"]
        self.places["a"]["enter"] = [*self.places["a"]["enter"], *drop]
        gateway = lab.start("a", wait=False)
        self.assertEqual(gateway.process.wait(60), 1, gateway.text())
        self.assertIn("lacks CAP_NET_RAW", gateway.text())

    def test_a_killed_gateway_comes_back(self):
        lab, publisher, auditor = self.training()
        self.assertRegex(auditor.ask("next 30", 40), "^at ")
        lab.gateways["a"].kill()
        lab.start("a")
        self.assertRegex(auditor.ask("next 30", 40), "^at ")
        self.check_sums(lab, publisher, auditor)
        lab.wait_healthy()

    def test_an_interface_that_goes_down_and_up_is_survived(self):
        for device in ("af_packet:wan0", "net_af_packet0,iface=wan0"):
            with self.subTest(device):
                lab, publisher, auditor = self.training(port=PORT.replace("af_packet:wan0", device))
                self.assertRegex(auditor.ask("next 30", 40), "^at ")
                self.go_down_and_up(lab)
                self.assertRegex(auditor.ask("next 60", 70), "^at ")
                self.check_sums(lab, publisher, auditor)
                self.check_end(lab)

    def go_down_and_up(self, lab):
        """The interface of a, whose gateway says so."""
        self.inside("a", "ip", "link", "set", "dev", "wan0", "down")
        lab.wait_for(lambda: lab.problems("b"), "the dead link in `godwit status`", 30)
        self.assertIn("port.link_down", [problem["reason"] for problem in lab.problems("a")])
        lab.wait_for(lambda: [link["reason"] for link in lab.ask("a", "link")["links"]] == ["port.link_down"],
                     "the reason in `godwit link`", 30)
        lab.wait_for(lambda: lab.metric("a", "godwit_port_link_up") == {(): 0}, "the metric")
        self.inside("a", "ip", "link", "set", "dev", "wan0", "up")
        lab.wait_for(lambda: lab.metric("a", "godwit_port_link_up") == {(): 1}, "the link in the metric")
        self.assertEqual(lab.metric("a", "godwit_port_link_downs_total"), {(): 1})
        self.assertEqual(lab.ask("a", "link")["port"]["link_downs"], 1)


if __name__ == "__main__":
    unittest.main()
