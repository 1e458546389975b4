"""What is wrong in a configuration is named with its place, by the daemon and by the command."""
import pathlib
import re
import unittest

import lab as harness

ROOT = pathlib.Path(__file__).resolve().parents[2]

GOOD = """version = 1
[self]
site = "a"
[tls]
ca = "ca.pem"
cert = "a.pem"
key = "a.key"
[sites.a]
endpoint = "127.0.0.1:7001"
[sites.b]
endpoint = "127.0.0.1:7002"
[[links]]
ends = ["a", "b"]
cap = "20Mbit/s"
[[policies]]
match = "private/**"
allowed = ["a", "b"]
"""

# What is changed, into what, and what must be said of it.
BAD = [
    ('site = "a"\n', 'sight = "a"\nsite = "a"\n', ":3:1: [self]: unknown key `sight`; did you mean `site`? allowed here: site, state_dir, "),
    ('cap = "20Mbit/s"', 'cap = "20Mbps"', ':14:7: [[links]] cap: "20Mbps" is not a rate such as "20Mbit/s"'),
    ('ends = ["a", "b"]', 'ends = ["a", "sin"]', '"sin" is no site of this file; those are: a, b'),
    ('allowed = ["a", "b"]', 'allowed = ["a", "d"]', ':17:11: [[policies]] allowed: "d" is no site'),
    ('allowed = ["a", "b"]', 'quota = "3GB"', ":17:1: [[policies]]: unknown key `quota`"),
    ('site = "a"\n', 'site = "d"\n', ':3:8: [self] site: "d" is no site of this file'),
    ('"127.0.0.1:7002"', '"b.example:7002"', ":11:12: [sites.b] endpoint: "),
    ('"127.0.0.1:7002"', '"127.0.0.1:07001"', ':11:12: [sites.b] endpoint: 127.0.0.1:7001 is that of site "a", too'),
    ('"127.0.0.1:7002"', '"0.0.0.0:7002"', ":11:12: [sites.b] endpoint: 0.0.0.0 is no host's address"),
    ('"127.0.0.1:7002"', '"[::1]:7002"', ":11:12: [sites.b] endpoint: ::1 is IPv6 and the own address, 127.0.0.1"),
    ('site = "a"\n', 'site = "a"\nstate_dir = "/var/lib/godwit/a/s"\n', ":4:13: [self] state_dir: "),
    ('site = "a"\n', f'site = "a"\nadmin = "/{"s" * 107}"\n', "has 108 bytes; a socket's path has at most 107"),
    ('site = "a"\n', 'site = "a"\nmemory = "0B"\n', ":4:10: [self] memory: must be from 32MiB"),
    ('[self]\nsite = "a"\n', "", ".toml: [self] site: is missing"),
    ("version = 1", "version = 2", ":1:11: the file version: must be the whole number 1"),
    ('key = "a.key"', "", "[tls] needs the key `key`"),
    ("[tls]", "[tls", ":4:"),
]


class Config(unittest.TestCase):
    def setUp(self):
        self.lab = harness.Lab(sites=("a", "b"))
        self.addCleanup(self.lab.__exit__)
        self.file = self.lab.folder / "godwit.toml"

    def test_what_is_wrong_is_named_with_its_place(self):
        for change, into, said in BAD:
            with self.subTest(into):
                self.assertEqual(GOOD.count(change), 1)
                self.file.write_text(GOOD.replace(change, into))
                daemon = harness.run(harness.GODWITD, "--config", self.file)
                self.assertEqual(daemon.returncode, 2, daemon.stderr)
                self.assertIn(said, daemon.stderr)
                self.assertIn(str(self.file), daemon.stderr)
                check = harness.run(harness.GODWIT, "config", "check", self.file)
                self.assertEqual(check.returncode, 2)
                self.assertIn(said, check.stderr)

    def test_a_good_file_passes_and_reads_back_as_itself(self):
        self.file.write_text(GOOD)
        effective = self.lab.cli("config", "check", "--effective", self.file).stdout
        self.file.write_text(effective)
        again = self.lab.cli("config", "check", "--effective", self.file).stdout
        self.assertEqual(again, effective)

    def test_whole_files_of_the_documentation_are_good(self):
        for page, count in (("README.md", 1), ("api/gateway/README.md", 1)):
            files = re.findall(r"^```toml\n(version = 1\n.*?)^```", (ROOT / page).read_text(), re.S | re.M)
            self.assertEqual(len(files), count, page)
            for text in files:
                self.file.write_text(text)
                self.lab.cli("--site", "fra", "config", "check", self.file)

    def test_the_daemon_checks_the_certificate_as_well(self):
        tls = self.lab.folder / "tls"
        for certificate, key, status, said in (("a.pem", "a.key", 0, ": good for site a"),
                                               ("c.pem", "a.key", 2, "c.pem"),
                                               ("a.pem", "b.key", 2, "does not belong"),
                                               ("b.pem", "b.key", 2, "of another site")):
            with self.subTest(certificate + key):
                self.file.write_text(GOOD.replace('"ca.pem"', f'"{tls}/ca.pem"')
                                     .replace('"a.pem"', f'"{tls}/{certificate}"')
                                     .replace('"a.key"', f'"{tls}/{key}"'))
                done = harness.run(harness.GODWITD, "--check", "--config", self.file)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertIn(said, done.stdout + done.stderr)

    def test_the_port_of_the_command_line_is_checked_too(self):
        self.file.write_text(GOOD)
        for check in ([], ["--check"]):
            done = harness.run(harness.GODWITD, "--port", "dpdk", "--config", self.file, *check)
            self.assertEqual(done.returncode, 2)
            self.assertIn("[port] device: is missing; DPDK needs one", done.stderr)
        nobody = harness.run(harness.GODWITD, "--site", "", "--config", self.file)
        self.assertIn('[self] site: "" is no site of this file', nobody.stderr)

    def test_every_problem_is_named_at_once(self):
        text = GOOD.replace('site = "a"\n', 'site = "d"\nsight = 1\n').replace("20Mbit/s", "fast")
        self.file.write_text(text)
        said = harness.run(harness.GODWITD, "--config", self.file).stderr
        self.assertEqual(len(said.strip().splitlines()), 3, said)

    def test_a_missing_file_and_a_wrong_option_are_usage_errors(self):
        self.assertEqual(harness.run(harness.GODWITD, "--config", "/nowhere").returncode, 2)
        folder = harness.run(harness.GODWITD, "--config", self.lab.folder)
        self.assertEqual(folder.returncode, 2)
        self.assertIn("is a directory", folder.stderr)
        self.assertEqual(harness.run(harness.GODWITD, "--nonsense").returncode, 2)


if __name__ == "__main__":
    unittest.main()
