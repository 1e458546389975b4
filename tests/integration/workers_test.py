"""Several workers at each site, as many as it likes: the sums are those of one, whatever dies."""
import time
import unittest

import lab as harness

CONNECTIONS = 4
SHARDS = 8  # two share a connection
ELEMENTS = 10 * 32_768 + 100  # eleven tiles: shards of two tiles, and of one
KILLS = 60 if harness.FULL else 8
SETTLE_SECONDS = 90


class Workers(unittest.TestCase):
    def setUp(self):
        self.draw = harness.seeded("workers")
        self.lab = harness.Lab(connections=CONNECTIONS, workers={"a": 4, "b": 1, "c": 2})
        self.addCleanup(self.lab.__exit__)
        self.lab.start_all()

    def publisher(self, site, name):
        return self.lab.publisher(site, name, elements=ELEMENTS, shards=SHARDS, values=80_000)

    def auditor(self, site):
        return self.lab.auditor(site, elements=ELEMENTS, shards=SHARDS)

    def settle(self, publishers, auditors):
        """Every site holds what was published, to the bit."""
        for name, child in publishers.items():
            self.assertEqual(child.end(SETTLE_SECONDS), 0, f"{name}: {child.text()}")
        logs = " ".join(str(self.lab.log_of(name)) for name in publishers)
        answers = {site: auditor.ask(f"check {SETTLE_SECONDS} {logs}", SETTLE_SECONDS + 30)
                   for site, auditor in auditors.items()}
        for site, answer in answers.items():
            self.assertRegex(answer, "^equal ", f"site {site}\n{self.lab.report()}")
        self.assertEqual(len(set(answers.values())), 1, answers)
        self.lab.wait_healthy()
        for site in self.lab.sites:
            self.assertEqual(self.lab.ask(site, "ledger", codes=(0,))["defect"], 0)
            self.lab.wait_for(lambda: not self.unreceipted(site), f"every receipt at {site}", 10)

    def unreceipted(self, site):
        """Transfers of any shard's lane whose receipt has not come."""
        return sum(lane.get("unreceipted_transfers", 0)
                   for topic in self.lab.ask(site, "topic", codes=(0,))["topics"]
                   for lane in topic["lanes"])

    def test_each_has_its_part_and_people_see_the_whole(self):
        publishers = {"publisher-b": self.publisher("b", "publisher-b")}
        auditors = {site: self.auditor(site) for site in self.lab.sites}
        time.sleep(2)
        self.settle(publishers, auditors)
        for site, workers in self.lab.workers.items():
            turns = self.lab.metric(site, "godwit_worker_turns_total")
            self.assertEqual(len(turns), workers, turns)
            topics = self.lab.ask(site, "topic", codes=(0,))["topics"]
            self.assertEqual([topic["summary"]["name"] for topic in topics], [harness.TOPIC])
            self.assertEqual(topics[0]["shards"], SHARDS)
            self.assertEqual(sorted(lane["to"] for lane in topics[0]["lanes"]
                                    if not lane["to"].startswith("client:")),
                             [other for other in self.lab.sites if other != site])
            for other in self.lab.sites:
                if other != site:
                    links = self.lab.ask(site, "link", other, codes=(0,))["links"]
                    self.assertEqual(sorted(link.get("connection", 0) for link in links),
                                     list(range(CONNECTIONS)))
                    self.assertTrue(all(link["state"] == "up" for link in links), links)
        # Eight shards over four connections: each carried its part.
        carried = [link["received_transfers"]
                   for link in self.lab.ask("a", "link", "b", codes=(0,))["links"]]
        self.assertTrue(all(count > 0 for count in carried), carried)

    def test_a_subscriber_that_died_with_its_gateway_is_taken_with_other_workers(self):
        publishers = {"publisher-b": self.publisher("b", "publisher-b")}
        auditors = {site: self.auditor(site) for site in self.lab.sites}
        for workers in (1, 4):
            self.assertRegex(auditors["a"].ask("next 30", 40), "^at ")
            self.lab.gateways["a"].kill()
            auditors["a"].kill()
            said = len(self.lab.gateways["a"].text())
            self.lab.workers["a"] = workers
            self.lab.start("a")
            auditors["a"] = self.auditor("a")
            self.assertRegex(auditors["a"].ask("next 60", 70), "^at ")
            self.assertNotIn("client auditor is closed", self.lab.gateways["a"].text()[said:])
        self.settle(publishers, auditors)

    def test_sums_equal_the_logs_after_kills_and_other_numbers_of_workers(self):
        names = {f"publisher-{site}": site for site in self.lab.sites}
        publishers = {name: self.publisher(site, name) for name, site in names.items()}
        auditors = {site: self.auditor(site) for site in self.lab.sites}
        for _ in range(KILLS):
            time.sleep(self.draw.uniform(0.2, 1.0))
            if self.draw.random() < 0.6:
                site = self.draw.choice(self.lab.sites)
                self.lab.gateways[site].kill()
                self.lab.workers[site] = self.draw.choice((1, 2, 4))
                self.lab.start(site, wait=False)
            else:
                name = self.draw.choice(list(names))
                self.assertTrue(publishers[name].running, publishers[name].text())
                publishers[name].kill()
                publishers[name] = self.publisher(names[name], name)
        print("workers at the end:", self.lab.workers, flush=True)
        self.settle(publishers, auditors)
        print(f"count: real kills survived {KILLS} of {KILLS}")


if __name__ == "__main__":
    unittest.main()
