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

    def renew(self, lab, site):
        """A new certificate in the place of the old one, file by file as an operator does it."""
        folder = lab.folder / f"renewed-{site}"
        folder.mkdir()
        for name in ("ca.pem", "ca.key"):
            (folder / name).write_bytes((lab.certificates / name).read_bytes())
        lab.cli("cert", "issue", folder, site)
        for name in (f"{site}.key", f"{site}.pem"):
            (folder / name).replace(lab.certificates / name)

    def test_certificates_that_are_renewed_under_traffic_cost_no_link_and_no_transfer(self):
        with harness.Lab(sites=("a", "b")) as lab:
            lab.start_all()
            lab.wait_healthy()
            publisher = lab.publisher("a", "publisher", values=50)
            auditor = lab.auditor("b")
            self.assertRegex(auditor.ask("next 30", 40), "^at ")
            begun = time.monotonic()
            time.sleep(0.5)
            word = "goes on over a new session"
            # b does not dial a otherwise; it is told by a signal, a finds out by itself.
            self.renew(lab, "b")
            lab.gateways["b"].process.send_signal(harness.signal.SIGHUP)
            lab.wait_for(lambda: lab.gateways["b"].text().count(word) == 1, "b's renewal", 30)
            self.assertRegex(auditor.ask("next 10", 20), "^at ")
            self.renew(lab, "a")
            lab.wait_for(lambda: lab.gateways["a"].text().count(word) == 2, "a's renewal", 30)
            self.assertRegex(auditor.ask("next 10", 20), "^at ")
            time.sleep(1.5)  # until the replaced session is closed
            for site in lab.sites:
                link = lab.ask(site, "link")["links"][0]
                self.assertEqual(link["state"], "up")
                # It has been up since before the first renewal: never down in between.
                self.assertGreater(int(link["in_state_ns"]) / 1e9, time.monotonic() - begun - 0.1)
                self.assertNotIn("is down", lab.gateways[site].text())
            self.assertEqual(publisher.end(), 0, publisher.text())
            self.assertRegex(auditor.ask(f"check 60 {lab.log_of('publisher')}", 90), "^equal ")
            self.assertEqual(lab.ask("a", "ledger", codes=(0,))["defect"], 0)

    def test_a_renewed_certificate_that_is_wrong_leaves_the_former_one_in_use(self):
        with harness.Lab(sites=("a", "b")) as lab:
            lab.start_all()
            lab.wait_healthy()
            for name in ("pem", "key"):
                (lab.certificates / f"a.{name}").write_bytes(
                    (lab.certificates / f"b.{name}").read_bytes())
            lab.wait_for(lambda: "the former certificate stays in use" in
                         lab.gateways["a"].text(), "a's complaint", 30)
            self.assertEqual(lab.ask("a", "link")["links"][0]["state"], "up")

    def test_a_key_or_certificate_that_is_not_the_own_ends_the_start(self):
        lab = harness.Lab(sites=("a", "b"))
        self.addCleanup(lab.__exit__)
        other = {"cert": lab.certificates / "b.pem", "key": lab.certificates / "b.key"}
        gateway = lab.start("a", wait=False, tls=other)
        self.assertEqual(gateway.process.wait(30), 1)
        self.assertIn("is the certificate of another site", gateway.text())


if __name__ == "__main__":
    unittest.main()
