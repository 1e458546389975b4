"""Topics and subscriptions that a gateway refuses to clients that are there, and takes later."""
import re
import unittest

import lab as harness

OTHER_TOLERANCE = '[[policies]]\nmatch = "test/**"\ntolerance = 0.25\n'


class Refusals(unittest.TestCase):
    def setUp(self):
        self.lab = harness.Lab(sites=("a", "b"))
        self.addCleanup(self.lab.__exit__)

    def client_problems(self, site):
        return [problem for problem in self.lab.problems(site) if problem["reason"] == "client.refused"]

    def wait_for_problem(self, site, text):
        self.lab.wait_for(lambda: any(re.search(text, problem["text"])
                                      for problem in self.client_problems(site)), text)

    def has_logged(self, publisher, size):
        """Whether a publisher has logged so many bytes of publishes."""
        log = self.lab.log_of(publisher)
        return log.exists() and log.stat().st_size >= size

    def wait_refused(self, publisher):
        self.assertIn(publisher.process.wait(harness.READY_SECONDS), (1, 3), publisher.text())
        self.assertIn("tolerance", publisher.text())

    def equal(self, auditor, *names):
        logs = " ".join(str(self.lab.log_of(name)) for name in names)
        self.assertRegex(auditor.ask(f"check 60 {logs}", 90), "^equal ", self.lab.report())

    def restart(self, site, policies):
        self.lab.policies = policies
        self.lab.gateways[site].kill()
        self.lab.start(site)

    def test_a_topic_that_is_refused_after_a_restart_goes_on_when_it_is_taken_again(self):
        lab = self.lab
        lab.start_all()
        lab.wait_healthy()
        at_a, at_b = lab.auditor("a"), lab.auditor("b")
        near, far = lab.publisher("a", "near"), lab.publisher("b", "far")
        lab.wait_for(lambda: all(self.has_logged(name, 20_000) for name in ("near", "far")), "both publish")
        self.restart("a", OTHER_TOLERANCE)
        self.wait_for_problem("a", "client auditor: topic test/weights: .*tolerance")
        # Who publishes is told, and so is who comes. What was on its way is in the log.
        self.wait_refused(near)
        self.wait_refused(lab.publisher("a", "near"))
        self.restart("a", "")
        near = lab.publisher("a", "near")
        lab.wait_healthy()
        self.assertEqual(self.client_problems("a"), [])
        self.assertTrue(far.running, far.text())
        for publisher in (near, far):
            self.assertEqual(publisher.end(), 0, publisher.text())
        for auditor in (at_a, at_b):
            self.equal(auditor, "near", "far")
        for site in lab.sites:
            self.assertEqual(lab.ask(site, "ledger")["defect"], 0)

    def test_a_subscription_without_room_waits_alone_until_there_is_some(self):
        lab = self.lab
        lab.start_all()
        lab.wait_healthy()
        # Of 256 MiB it takes 240, and another subscriber some 40.
        elements = 5_600_000
        first = lab.auditor("a", "first", elements=elements)
        waiting = lab.auditor("a", "waiting", elements=elements)
        self.wait_for_problem("a", "client waiting: .*one more subscriber may need")
        publisher = lab.publisher("a", "publisher", elements=elements)
        lab.wait_for(lambda: self.has_logged("publisher", 1), "it publishes")
        self.assertEqual(publisher.end(), 0, publisher.text())
        self.equal(first, "publisher")
        self.assertRegex(waiting.ask(f"check 2 {lab.log_of('publisher')}", 30), "^different ")
        first.kill()
        self.equal(waiting, "publisher")
        lab.wait_for(lambda: self.client_problems("a") == [], "the problem is gone")
        self.assertNotRegex(lab.gateways["a"].text(), "client [^ ]+ is closed")


if __name__ == "__main__":
    unittest.main()
