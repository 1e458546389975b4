"""One bit of a gateway's living state is changed behind its back: the audit and the ledger see it.

What is audited is the topic of the main job, by the main job's own auditor.
"""
import array
import json
import os
import struct
import unittest

import lab as harness

AUDITOR = harness.BUILD / "bench/workloads/programs/godwit-auditor"
TOPIC, ELEMENTS = "quickstart/model", 1_010_850  # bench/workloads/through, bench/workloads/trainer
WORD = 8            # bytes of an element
PATTERN = 16        # elements whose sums in a row are not found by accident
BIT = 20            # of the element, which has 40 bits after the point: a change of 2^-20
FLIPS = {"P": ("a", 0), "R": ("b", 0), "S": ("a", 1)}  # array: site, which of its findings in the file


def read_publishes(path):
    """The log of integration_publisher: step, first element, count, values; all 64 bits."""
    words = array.array("q")
    with open(path, "rb") as file:
        words.frombytes(file.read())
    at = 0
    while at < len(words):
        _, first, count = words[at:at + 3]
        yield first, words[at + 3:at + 3 + count]
        at += 3 + count


def sums_of(logs):
    sums = array.array("q", bytes(WORD * ELEMENTS))
    for log in logs:
        for first, values in read_publishes(log):
            for index, value in enumerate(values, first):
                sums[index] += value
    return sums


def places(path, pattern):
    """Where the pattern lies in a sparse file, without filling its holes."""
    found = []
    with open(path, "rb") as file:
        end, at = os.fstat(file.fileno()).st_size, 0
        while at < end:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                break  # only a hole is left
            hole = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            data = os.pread(file.fileno(), hole - at, at)
            place = data.find(pattern)
            while place >= 0:
                found.append(at + place)
                place = data.find(pattern, place + WORD)
            at = hole
    return found


class Flip(unittest.TestCase):
    def setUp(self):
        self.lab = harness.Lab(sites=("a", "b"))
        self.addCleanup(self.lab.__exit__)
        self.lab.start_all()
        self.lab.wait_healthy()
        self.logs = []
        self.publish("before")

    def publish(self, name):
        """Another publisher at a, for a moment; its changes are spread over the whole topic."""
        publisher = self.lab.publisher("a", name, topic=TOPIC, elements=ELEMENTS, every_ms=5)
        log = self.lab.log_of(name)
        self.lab.wait_for(lambda: log.exists() and log.stat().st_size > 2_000_000, "some publishes")
        self.assertEqual(publisher.end(), 0, publisher.text())
        self.logs.append(log)

    def audit(self, deadline):
        """What the auditor of the main job prints, with one log of all publishers."""
        sums = sums_of(self.logs)
        log = self.lab.folder / "all.sums"
        log.write_bytes(struct.pack("<Q", ELEMENTS) + sums.tobytes())
        sockets = [word for site in self.lab.sites
                   for word in ("--socket", self.lab.folder / site / "client")]
        done = harness.run(AUDITOR, *sockets, "--log", log, "--deadline", deadline, timeout=120)
        self.assertIn(done.returncode, (0, 10), done.stderr)
        found = json.loads(done.stdout)
        self.assertEqual(done.returncode == 0, found["identical"] and
                         found["conservation_defect"] == 0)
        return found

    def flip(self, kind):
        """Changes one bit in P, R or S; returns the element."""
        site, which = FLIPS[kind]
        sums = sums_of(self.logs)
        first = next(i for i in range(ELEMENTS) if all(sums[i:i + PATTERN]))
        [path] = (self.lab.folder / site / "state").rglob("*.sums")
        found = places(path, sums[first:first + PATTERN].tobytes())
        # At a: P, then S of the lane to b; at b: R. Subscribers' lanes end with their clients.
        self.assertGreater(len(found), which, found)
        with open(path, "r+b") as file:
            at = found[which] + BIT // 8
            byte = os.pread(file.fileno(), 1, at)[0]
            os.pwrite(file.fileno(), bytes([byte ^ 1 << BIT % 8]), at)

    def defect(self, site):
        return self.lab.ask(site, "ledger")["defect"]

    def expect_defect(self, site):
        """The scrubber reads all sums again in the course of seconds."""
        self.lab.wait_for(lambda: self.defect(site) > 0, f"the defect in `godwit ledger` of {site}")

    def test_without_a_flip_all_is_equal(self):
        found = self.audit(60)
        self.assertEqual((found["identical"], found["conservation_defect"]), (True, 0))
        passes = self.lab.ask("a", "ledger")["topics"][0]["scrub_passes"]
        self.lab.wait_for(lambda: self.lab.ask("a", "ledger")["topics"][0]["scrub_passes"] > passes + 1,
                          "two passes of the scrubber")
        self.assertEqual([self.defect(site) for site in self.lab.sites], [0, 0])

    def expect_the_flip_to_show(self, kind):
        self.assertTrue(self.audit(60)["identical"])
        self.flip(kind)
        found = self.audit(2)
        self.assertFalse(found["identical"])
        self.assertEqual(found["conservation_defect"], 1 << BIT)
        self.expect_defect(FLIPS[kind][0])

    def test_a_bit_of_what_was_published_here(self):
        self.expect_the_flip_to_show("P")

    def test_a_bit_of_what_was_received_from_another_site(self):
        self.expect_the_flip_to_show("R")

    def test_a_bit_of_what_was_sent_is_sent_once_more_and_shows(self):
        """S decides what is still open: the wrong bit travels with the tile's next change."""
        self.assertTrue(self.audit(60)["identical"])
        self.flip("S")
        self.expect_defect("a")
        self.publish("after")
        found = self.audit(5)
        self.assertFalse(found["identical"])
        self.assertEqual(found["conservation_defect"], 1 << BIT)


if __name__ == "__main__":
    unittest.main()
