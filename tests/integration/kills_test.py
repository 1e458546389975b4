"""kill -9 of gateways, publishers and subscribers at any instant loses nothing and doubles nothing."""
import time
import unittest

import lab as harness

KILLS = 300 if harness.FULL else 24
SETTLE_SECONDS = 90


class Kills(unittest.TestCase):
    def test_sums_equal_the_logs_after_random_kills(self):
        draw = harness.seeded("kills")
        with harness.Lab() as lab:
            lab.start_all()
            publishers = {f"publisher-{site}{i}": site for site in lab.sites for i in range(2)}
            running = {name: lab.publisher(site, name) for name, site in publishers.items()}
            auditors = {site: lab.auditor(site) for site in lab.sites}
            begun = time.monotonic()
            killed = {"gateway": 0, "publisher": 0, "auditor": 0}
            for _ in range(KILLS):
                time.sleep(draw.uniform(0.05, 0.5))
                kind = draw.choices(list(killed), weights=(5, 4, 1))[0]
                killed[kind] += 1
                if kind == "gateway":
                    site = draw.choice(lab.sites)
                    lab.gateways[site].kill()
                    time.sleep(draw.choice((0, 0, 0.3)))
                    lab.start(site, wait=False)
                elif kind == "publisher":
                    name = draw.choice(list(publishers))
                    self.assertTrue(running[name].running, running[name].text())
                    running[name].kill()
                    running[name] = lab.publisher(publishers[name], name)
                else:
                    site = draw.choice(lab.sites)
                    auditors[site].kill()
                    auditors[site] = lab.auditor(site)
            print(f"{KILLS} kills took {time.monotonic() - begun:.0f} s", flush=True)
            for name, child in running.items():
                self.assertEqual(child.end(SETTLE_SECONDS), 0, f"{name}: {child.text()}")
            logs = " ".join(str(lab.log_of(name)) for name in publishers)
            answers = {site: auditor.ask(f"check {SETTLE_SECONDS} {logs}", SETTLE_SECONDS + 30)
                       for site, auditor in auditors.items()}
            for site, answer in answers.items():
                self.assertRegex(answer, "^equal ", f"site {site}\n{lab.report()}")
            self.assertEqual(len(set(answers.values())), 1, answers)
            lab.wait_healthy()
            for site in lab.sites:
                ledger = lab.ask(site, "ledger", codes=(0,))
                self.assertEqual(ledger["defect"], 0)
                for topic in ledger["topics"]:
                    self.assertTrue(all(lane["balanced"] for lane in topic["lanes"]), topic)
                self.assertEqual(set(lab.metric(site, "godwit_conservation_defect").values()),
                                 {0.0})
            print(f"count: real kills survived {KILLS} of {KILLS}")
            print("killed:", killed)


if __name__ == "__main__":
    unittest.main()
