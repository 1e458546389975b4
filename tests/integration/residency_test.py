"""A topic never reaches a site outside its allowed ones, whoever asks for it."""
import unittest

import lab as harness

TOPIC = "private/weights"
POLICY = f'[[policies]]\nmatch = "private/**"\nallowed = ["a", "b"]\n'
OPEN = ""


class Residency(unittest.TestCase):
    def files_of(self, lab, site):
        state = lab.folder / site / "state"
        return sorted(path.name for path in state.iterdir()
                      if path.suffix in (".topic", ".sums"))

    def test_it_exists_only_where_it_is_allowed(self):
        with harness.Lab(policies=POLICY) as lab:
            lab.start_all()
            lab.wait_healthy()
            for site in ("a", "b"):
                self.assertRegex(lab.probe("declare", site, topic=TOPIC, elements=4), "^open ")
            self.assertRegex(lab.probe("publish", "a", topic=TOPIC, elements=4, values="1,2,3,4"),
                             "^reached")
            lab.wait_for(lambda: lab.probe("sum", "b", topic=TOPIC, elements=4).split()[-1:] ==
                         [str(4 << 40)], "the publish at b", 30)
            # A client at c is told why not, in words.
            answer = lab.probe("declare", "c", topic=TOPIC, elements=4)
            self.assertRegex(answer, "^refused .*this site, \"c\", is not among the allowed sites")
            # Declaring it with fewer rules than the policy does not help either.
            answer = lab.probe("declare", "a", topic="private/other", elements=4, allowed="a,c")
            self.assertRegex(answer, "^refused .*does not allow site \"c\"")
            self.assertEqual(self.files_of(lab, "c"), [])
            self.assertEqual(len(self.files_of(lab, "a")), 2)
            self.assertEqual(lab.ask("c", "topic")["topics"], [])
            for site in ("a", "b"):
                report = lab.ask(site, "topic", TOPIC)["topics"][0]
                self.assertEqual(report["allowed_sites"], ["a", "b"])
                self.assertNotIn("c", [lane["to"] for lane in report["lanes"]])

    def test_a_clients_own_restriction_holds_too(self):
        with harness.Lab() as lab:
            lab.start_all()
            lab.wait_healthy()
            for site in ("a", "b"):
                self.assertRegex(lab.probe("declare", site, topic="t", elements=4, allowed="a,b"),
                                 "^open ")
            self.assertRegex(lab.probe("declare", "c", topic="t", elements=4, allowed="a,b"),
                             "^refused ")
            # c declares it for everybody: a and b do not agree, and nothing of it moves.
            self.assertRegex(lab.probe("declare", "c", topic="t", elements=4), "^open ")
            self.assertRegex(lab.probe("publish", "a", topic="t", elements=4, allowed="a,b",
                                       values="1,1,1,1"), "^reached")
            self.assertRegex(lab.probe("publish", "c", topic="t", elements=4, values="9,9,9,9"),
                             "^reached")
            lab.wait_for(lambda: "is not among the sites allowed" in lab.gateways["a"].text(),
                         "a's refusal in its log", 30)
            self.assertEqual(lab.probe("sum", "b", topic="t", elements=4, allowed="a,b"),
                             " ".join([str(1 << 40)] * 4))
            self.assertEqual(lab.probe("sum", "c", topic="t", elements=4),
                             " ".join([str(9 << 40)] * 4))

    def test_a_peer_that_announces_a_forbidden_topic_is_refused(self):
        """Gateways with different files: a and b forbid it to c, c's file allows everything."""
        with harness.Lab(policies=POLICY) as lab:
            lab.start("a")
            lab.start("b")
            lab.policies = OPEN
            lab.start("c")
            lab.wait_healthy()
            self.assertRegex(lab.probe("declare", "a", topic=TOPIC, elements=4), "^open ")
            self.assertRegex(lab.probe("publish", "c", topic=TOPIC, elements=4, values="5,5,5,5"),
                             "^reached")
            for site in ("a", "b"):
                lab.wait_for(lambda site=site: "does not allow it between" in
                             lab.gateways[site].text(), f"{site}'s refusal in its log", 30)
                problem = next(p for p in lab.problems(site) if p["reason"] == "topic.residency")
                self.assertEqual(problem["subject"], TOPIC)
                self.assertIn("refused here to c", problem["text"])
                self.assertIn("explain" if site == "a" else "config check", problem["command"])
                lab.wait_for(lambda site=site: lab.metric(site, "godwit_link_topics_refused_total").get(
                    ("c", "here", "residency"), 0) >= 1, f"{site}'s count of it", 30)
            self.assertIn("refuses topic", lab.gateways["c"].text())
            problem = next(p for p in lab.problems("c") if p["reason"] == "topic.residency")
            self.assertEqual(problem["subject"], TOPIC)
            self.assertIn("does not allow it between", problem["text"])
            self.assertEqual(problem["command"], f"godwit explain {TOPIC}")
            self.assertEqual(lab.probe("sum", "a", topic=TOPIC, elements=4), "0 0 0 0")
            self.assertEqual(self.files_of(lab, "b"), [])
            lanes = lab.ask("c", "topic", TOPIC)["topics"][0]["lanes"]
            self.assertEqual([lane for lane in lanes if lane["next_k"] > 1], [])

    def test_a_gateway_does_not_start_over_state_that_its_policy_forbids(self):
        with harness.Lab() as lab:
            lab.start("c")
            self.assertRegex(lab.probe("declare", "c", topic=TOPIC, elements=4), "^open ")
            lab.gateways["c"].kill()
            lab.policies = POLICY
            gateway = lab.start("c", wait=False)
            self.assertEqual(gateway.process.wait(30), 1)
            self.assertIn("no longer allows it at c", gateway.text())


if __name__ == "__main__":
    unittest.main()
