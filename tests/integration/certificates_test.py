"""A gateway with a wrong or expired certificate is refused, and everybody can see why."""
import time
import unittest

import lab as harness


class Certificates(unittest.TestCase):
    def refused(self, lab, site, reason, word):
        """`site` refuses its peer: named in status (exit 10), the metric and the log."""
        lab.wait_for(lambda: word in lab.gateways[site].text(), f"{word} in the log", 30)
        lab.wait_for(lambda: lab.metric(site, "godwit_certificate_refused_total")[(reason,)] > 0,
                     f"{reason} in the metric", 30)
        done = harness.run(harness.GODWIT, "--admin", lab.folder / site / "admin", "status")
        self.assertEqual(done.returncode, 10)
        self.assertIn(word, done.stdout)
        self.assertEqual(lab.ask(site, "link")["links"][0]["state"] in ("down", "refused"), True)

    def never_up(self, lab):
        for site in lab.sites:
            links = lab.ask(site, "link")["links"]
            self.assertTrue(all(link["state"] != "up" for link in links), links)
            self.assertEqual(set(lab.metric(site, "godwit_link_up").values()), {0.0})

    def two_sites(self, tls_of_b):
        lab = harness.Lab(sites=("a", "b"))
        self.addCleanup(lab.__exit__)
        lab.start("a")
        lab.start("b", tls=tls_of_b(lab))
        return lab

    def other_authority(self, lab):
        folder = lab.folder / "other"
        folder.mkdir()
        lab.cli("cert", "init", folder)
        lab.cli("cert", "issue", folder, "b")
        return {"cert": folder / "b.pem", "key": folder / "b.key"}

    def test_a_certificate_of_another_authority(self):
        lab = self.two_sites(self.other_authority)
        # a dials b: a looks at b's certificate first.
        self.refused(lab, "a", "untrusted", "untrusted issuer")
        self.assertEqual(lab.ask("a", "link")["links"][0]["reason"],
                         "link.certificate_untrusted")
        self.assertGreater(
            lab.metric("a", "godwit_link_closed_total")[("b", "certificate_untrusted")], 0)
        # b is told, and says so too.
        lab.wait_for(lambda: any("refused by the peer" in p["text"] for p in lab.problems("b")),
                     "b says that it is refused", 30)
        self.never_up(lab)

    def test_a_peer_that_trusts_another_authority_is_told(self):
        """The one who dials is acceptable to nobody: the acceptor refuses it and says so."""
        lab = harness.Lab(sites=("a", "b"))
        self.addCleanup(lab.__exit__)
        folder = lab.folder / "other"
        folder.mkdir()
        lab.cli("cert", "init", folder)
        lab.cli("cert", "issue", folder, "a")
        # a shows b a certificate of the other authority, and would accept b's.
        lab.start("b")
        lab.start("a", tls={"cert": folder / "a.pem", "key": folder / "a.key"})
        self.refused(lab, "b", "untrusted", "untrusted issuer")
        lab.wait_for(lambda: lab.ask("a", "link")["links"][0]["reason"] in
                     ("link.refused_by_peer", "link.tls"), "a is told", 30)
        self.assertTrue(any(p["reason"] == "link.stranger" for p in lab.problems("b")))
        self.never_up(lab)

    def test_a_certificate_of_another_site(self):
        lab = harness.Lab(sites=("a", "b", "c"))
        self.addCleanup(lab.__exit__)
        lab.start("a")
        # c's gateway with c's certificate listens where everybody expects b.
        ports = lab.ports
        lab.ports = {**ports, "c": ports["b"], "b": harness.free_port(harness.socket.SOCK_DGRAM)}
        lab.start("c")
        lab.wait_for(lambda: lab.metric("a", "godwit_certificate_refused_total")
                     [("wrong_site",)] > 0, "wrong_site in the metric", 30)
        link = next(one for one in lab.ask("a", "link")["links"] if one["peer"] == "b")
        self.assertEqual((link["state"], link["reason"]), ("refused", "link.wrong_site"))
        problem = next(p for p in lab.problems("a") if p["subject"] == "b")
        self.assertEqual(problem["reason"], "link.refused")
        self.assertIn("c", problem["text"])
        self.assertIn("no session with b", lab.gateways["a"].text())

    def test_a_certificate_that_expired(self):
        lab = harness.Lab(sites=("a", "b"))
        self.addCleanup(lab.__exit__)
        folder = lab.certificates
        (folder / "b.pem").unlink()
        (folder / "b.key").unlink()
        seconds = 12  # chosen: two gateways start within it under sanitizers
        made = time.monotonic()
        harness.run(harness.PROBE, "certificate", "--folder", folder, "--site", "b",
                    "--seconds", seconds)
        lab.start("b")
        lab.start("a")
        lab.wait_for(lambda: lab.ask("a", "link")["links"][0]["state"] == "up", "the link")
        self.assertTrue(any(p["reason"] == "tls.expires" for p in lab.problems("a")))
        time.sleep(max(0.0, seconds + 1 - (time.monotonic() - made)))
        lab.gateways["a"].kill()
        lab.start("a")
        self.refused(lab, "a", "expired", "expired")
        self.assertEqual(lab.ask("a", "link")["links"][0]["reason"], "link.certificate_expired")
        self.never_up(lab)
        # Its own gateway does not even start any more, and says what to do.
        lab.gateways["b"].kill()
        again = lab.start("b", wait=False)
        self.assertEqual(again.process.wait(30), 1)
        self.assertIn("has expired; issue a new one", again.text())
        # A new certificate mends it.
        (folder / "b.pem").unlink()
        (folder / "b.key").unlink()
        lab.cli("cert", "issue", folder, "b")
        lab.start("b")
        lab.wait_healthy()

    def test_a_key_or_certificate_that_is_not_the_own_ends_the_start(self):
        lab = harness.Lab(sites=("a", "b"))
        self.addCleanup(lab.__exit__)
        other = {"cert": lab.certificates / "b.pem", "key": lab.certificates / "b.key"}
        gateway = lab.start("a", wait=False, tls=other)
        self.assertEqual(gateway.process.wait(30), 1)
        self.assertIn("is the certificate of another site", gateway.text())


if __name__ == "__main__":
    unittest.main()
