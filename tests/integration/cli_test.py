"""Every command of `godwit` against running gateways, for people and as JSON."""
import json
import unittest

import lab as harness

TOPIC = "cli/weights"


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = harness.Lab(sites=("a", "b"))
        cls.addClassCleanup(cls.lab.__exit__)
        cls.lab.start_all()
        cls.lab.wait_healthy()
        for site in cls.lab.sites:
            cls.lab.probe("publish", site, topic=TOPIC, elements=8, values="1,2,3")

    def both(self, *words, code=0):
        """The same question in words and as JSON: both answered, with one exit status."""
        admin = ("--admin", self.lab.folder / "a" / "admin")
        text = self.lab.cli(*admin, *words, code=code)
        answer = self.lab.cli(*admin, "--json", *words, code=code)
        if code == 0:
            self.assertTrue(text.stdout.strip(), words)
            self.assertEqual(text.stderr, "")
        self.assertEqual(len(answer.stdout.strip().splitlines()), 1, words)
        return text.stdout, json.loads(answer.stdout)

    def test_status(self):
        text, answer = self.both("status")
        self.assertIn("healthy", text)
        self.assertEqual((answer["site"], answer["problems"], answer["defect"]), ("a", [], 0))
        self.both("status", "--wait", "5")

    def test_topic(self):
        text, answer = self.both("topic", TOPIC)
        self.assertIn(TOPIC, text)
        topic = answer["topics"][0]
        self.assertEqual(topic["summary"]["elements"], 8)
        self.assertLessEqual(topic["summary"]["memory_used_bytes"],
                             topic["summary"]["memory_bound_bytes"])
        self.assertEqual(self.both("topic")[1]["topics"][0]["id"], topic["id"])
        self.assertIn("no topic", self.both("topic", "nothing", code=2)[1]["error"]["text"])

    def test_link(self):
        text, answer = self.both("link")
        self.assertIn("up", text)
        self.assertEqual(answer["links"][0]["state"], "up")
        self.assertEqual(answer["links"][0]["cap_bps"], 200_000_000)
        self.both("link", "b")
        self.both("link", "nowhere", code=2)

    def test_ledger(self):
        _, answer = self.both("ledger")
        self.assertEqual(answer["defect"], 0)
        self.assertRegex(answer["topics"][0]["published_checksum"], "^[0-9a-f]{16}$")
        self.both("ledger", TOPIC)

    def test_peer(self):
        _, answer = self.both("peer")
        self.assertEqual(answer["peers"][0]["certificate_site"], "b")
        self.both("peer", "b")

    def test_explain(self):
        text, answer = self.both("explain", TOPIC)
        self.assertIn("b", text)
        self.assertEqual([lane["to"] for lane in answer["lanes"]], ["b"])
        self.assertTrue(answer["lanes"][0]["reason"].startswith("lane."))
        self.both("explain", "nothing", code=2)

    def test_files(self):
        config = self.lab.folder / "a" / "godwit.toml"
        self.both("config", "check", config)
        self.both("config", "check", "--effective", config)
        folder = self.lab.folder / "new"
        folder.mkdir()
        answer = json.loads(self.lab.cli("--json", "cert", "init", folder).stdout)
        self.assertEqual(len(answer["written"]), 2)
        self.lab.cli("cert", "issue", folder, "x", "y")
        self.both("cert", "show", folder / "x.pem")
        self.lab.cli("cert", "init", folder, code=2)  # never overwritten

    def test_usage_and_silence(self):
        self.lab.cli("nonsense", code=2)
        self.lab.cli("--admin", "/nowhere", "status", code=1)
        done = self.lab.cli("--admin", "/nowhere", "--json", "status", code=1)
        self.assertIn("error", json.loads(done.stdout))
        self.assertIn("complete", self.lab.cli("completion", "bash").stdout)

    def test_completion_and_version(self):
        self.assertIn("status", self.lab.cli("__complete", "--", "st").stdout.split())
        self.assertRegex(self.lab.cli("--version").stdout, r"^godwit \d")


if __name__ == "__main__":
    unittest.main()
