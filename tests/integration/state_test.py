"""A gateway's state: who owns it, what a restart keeps, and what happens when it is lost."""
import shutil
import subprocess
import unittest

import lab as harness


class State(unittest.TestCase):
    def setUp(self):
        self.lab = harness.Lab(sites=("a", "b"))
        self.addCleanup(self.lab.__exit__)

    def incarnation(self, site):
        return self.lab.ask(site, "status")["incarnation"]

    def published(self, site, name):
        """A publisher that runs for a moment; its log."""
        publisher = self.lab.publisher(site, name, values=500)
        self.lab.wait_for(lambda: self.lab.log_of(name).exists() and
                          self.lab.log_of(name).stat().st_size > 20_000, "some publishes")
        self.assertEqual(publisher.end(), 0, publisher.text())
        return str(self.lab.log_of(name))

    def test_a_second_gateway_on_the_same_state_is_refused(self):
        lab = self.lab
        lab.start("a")
        first = lab.gateways["a"]
        port, metrics = lab.ports["a"], lab.metrics["a"]
        lab.ports["a"] = harness.free_port(harness.socket.SOCK_DGRAM)
        lab.metrics["a"] = harness.free_port(harness.socket.SOCK_STREAM)
        second = harness.run(harness.GODWITD, "--config", self.second_config())
        self.assertEqual(second.returncode, 1)
        self.assertIn("another gateway uses this state directory", second.stdout + second.stderr)
        lab.ports["a"], lab.metrics["a"] = port, metrics
        self.assertTrue(first.running)
        self.assertTrue(lab.answers("a"))

    def second_config(self):
        config = self.lab.folder / "second.toml"
        config.write_text(self.lab.config_text("a").replace("/a/client", "/client2")
                          .replace("/a/admin", "/admin2"))
        return config

    def test_the_folders_of_the_sockets_are_made(self):
        """As /run/godwit after the host's start."""
        lab = self.lab
        config, run = lab.folder / "run.toml", lab.folder / "run"
        config.write_text(lab.config_text("a").replace("/a/client", "/run/a/client")
                          .replace("/a/admin", "/run/admins/a"))
        run.write_text("a file")
        done = harness.run(harness.GODWITD, "--config", config)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{run}/a: cannot be created: Not a directory", done.stdout + done.stderr)
        run.unlink()
        gateway = harness.Child([harness.GODWITD, "--config", config], lab.folder / "run.log")
        self.addCleanup(gateway.kill)
        lab.wait_for(lambda: harness.run(harness.GODWIT, "--admin", run / "admins" / "a", "status")
                     .returncode in (0, 10), "the gateway")
        self.assertTrue((run / "a" / "client").is_socket())
        self.assertEqual(gateway.end(), 0, gateway.text())

    def test_a_restart_that_finds_its_state_keeps_its_incarnation(self):
        lab = self.lab
        lab.start_all()
        before = self.incarnation("a")
        log = self.published("a", "publisher")
        lab.gateways["a"].kill()
        lab.start("a")
        self.assertEqual(self.incarnation("a"), before)
        for site in lab.sites:
            self.assertRegex(lab.auditor(site).ask(f"check 60 {log}", 90), "^equal ")

    def test_lost_state_begins_a_new_life_and_the_rest_comes_back(self):
        """What only the lost site had is gone there; its peers keep it and book it as detached."""
        lab = self.lab
        lab.start_all()
        lab.wait_healthy()
        old = int(self.incarnation("a"), 16) >> 32
        from_a, from_b = self.published("a", "at-a"), self.published("b", "at-b")
        at_b = lab.auditor("b")
        self.assertRegex(at_b.ask(f"check 60 {from_a} {from_b}", 90), "^equal ")
        lab.gateways["a"].kill()
        shutil.rmtree(lab.folder / "a" / "state")
        lab.start("a")
        self.assertEqual(int(self.incarnation("a"), 16) >> 32, old + 1)
        later = self.published("a", "later-at-a")
        lab.wait_healthy()
        # b sends everything again to the new life; a's earlier publishes live on at b only.
        self.assertRegex(lab.auditor("a").ask(f"check 60 {from_b} {later}", 90), "^equal ")
        self.assertRegex(at_b.ask(f"check 60 {from_a} {from_b} {later}", 90), "^equal ")
        masses = lab.metric("b", "godwit_ledger_mass")
        detached = [mass for (_, state), mass in masses.items() if state == "detached"]
        self.assertGreater(sum(detached), 0, masses)
        for site in lab.sites:
            self.assertEqual(lab.ask(site, "ledger", codes=(0,))["defect"], 0)

    def lose_topic(self, site):
        """Kills the gateway, removes the files of its one topic and nothing else, starts it again."""
        self.lab.gateways[site].kill()
        state = self.lab.folder / site / "state"
        removed = [file.suffix for file in state.iterdir() if file.suffix in (".sums", ".topic")]
        self.assertEqual(sorted(removed), [".sums", ".topic"])
        for file in state.iterdir():
            if file.suffix in removed:
                file.unlink()
        self.lab.start(site)

    def test_a_topic_lost_alone_where_it_only_received_comes_back_whole(self):
        lab = self.lab
        lab.start_all()
        at_b = lab.auditor("b")
        before = self.published("a", "before")
        self.assertRegex(at_b.ask(f"check 60 {before}", 90), "^equal ")
        life = self.incarnation("b")
        self.lose_topic("b")
        self.assertEqual(self.incarnation("b"), life)  # the gateway's: its other topics are whole
        after = self.published("a", "after")
        for site in lab.sites:
            self.assertRegex(lab.auditor(site, "again").ask(f"check 60 {before} {after}", 90),
                             "^equal ", site)
        lab.wait_healthy()
        self.assertRegex(at_b.ask(f"check 60 {before} {after}", 90), "^equal ")

    def test_a_topic_lost_alone_where_it_was_published_keeps_its_link_up(self):
        """As with all state lost: what only b had is detached at a, whose sums keep it."""
        lab = self.lab
        lab.start_all()
        at_a = lab.auditor("a")
        from_a, from_b = self.published("a", "at-a"), self.published("b", "at-b")
        self.assertRegex(at_a.ask(f"check 60 {from_a} {from_b}", 90), "^equal ")
        self.lose_topic("b")
        later_a, later_b = self.published("a", "later-at-a"), self.published("b", "later-at-b")
        lab.wait_healthy()
        self.assertRegex(lab.auditor("b").ask(f"check 60 {from_a} {later_a} {later_b}", 90), "^equal ")
        self.assertRegex(at_a.ask(f"check 60 {from_a} {from_b} {later_a} {later_b}", 90), "^equal ")
        for site in lab.sites:
            self.assertEqual(lab.ask(site, "ledger", codes=(0,))["defect"], 0)

    def test_a_damaged_incarnation_ends_the_start(self):
        lab = self.lab
        lab.start("a")
        lab.gateways["a"].kill()
        (lab.folder / "a" / "state" / "incarnation").write_bytes(b"0123456789abcdef")
        gateway = lab.start("a", wait=False)
        self.assertEqual(gateway.process.wait(30), 1)
        self.assertIn("is damaged", gateway.text())

    def test_a_gentle_stop_loses_nothing(self):
        lab = self.lab
        lab.start_all()
        lab.wait_healthy()
        at_b = lab.auditor("b")
        log = self.published("a", "publisher")
        lab.ask("a", "stop", "--drain", "20")
        self.assertEqual(lab.gateways["a"].process.wait(60), 0)
        # Drained: b has it all while a is away.
        self.assertRegex(at_b.ask(f"check 60 {log}", 90), "^equal ")
        lab.start("a")
        lab.wait_healthy()

    def test_who_drains_ends_when_it_is_told_again(self):
        """There is nobody to drain to."""
        lab = self.lab
        lab.start_all()
        lab.wait_healthy()
        lab.probe("declare", "b", topic=harness.TOPIC, elements=harness.ELEMENTS)
        lab.probe("publish", "a", topic=harness.TOPIC, elements=harness.ELEMENTS, values="1", level="applied")
        lab.gateways["b"].kill()
        for end in (lambda: lab.ask("a", "stop"), lambda: lab.gateways["a"].process.terminate()):
            lab.probe("publish", "a", topic=harness.TOPIC, elements=harness.ELEMENTS, values="1")
            told = lab.ask("a", "stop", "--drain", "600")
            self.assertEqual(told["drain_ns"], 600 * 10**9)
            self.assertGreater(told["open_bytes_estimate"], 0)
            with self.assertRaises(subprocess.TimeoutExpired):
                lab.gateways["a"].process.wait(2)
            end()
            self.assertEqual(lab.gateways["a"].process.wait(30), 0)
            lab.start("a")


if __name__ == "__main__":
    unittest.main()
