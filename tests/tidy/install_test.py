#!/usr/bin/env python3
"""The behaviour of .ci/install, with package tools that only pretend."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

CI = pathlib.Path(__file__).resolve().parent.parent.parent / ".ci"

FAKE = {
    # Every package is installed but those in $MISSING.
    "dpkg-query": 'for m in $MISSING; do [[ "${@: -1}" == "$m" ]] && exit 1; done\n'
                  'printf "install ok installed"',
    # 1.5 MB and 2.0 MB to download; a real call is only written down. $BROKEN makes it fail.
    # While $LISTS names a file that is not there, no update has been made, and no size is known.
    "apt-get": '[[ "$*" == *--print-uris* && -n "$LISTS" && ! -e "$LISTS" ]] && exit 100\n'
               '[[ "$*" != *" update"* || -z "$LISTS" ]] || touch "$LISTS"\n'
               '[[ "$*" == *--print-uris* ]] && printf "\'u\' a.deb 1500000 M\\n\'v\' b.deb 2000000 M\\n" '
               '&& exit\necho "$*" >> "$LOG"\n[[ "$*" != *" install "* || -z "$BROKEN" ]]',
    "id": 'echo "$FAKE_UID"',
    "sudo": '[[ "$SUDO_WORKS" == 1 ]] || exit 1\nif [[ "$1" == -n ]]; then shift; fi\nexec "$@"',
}


class Install(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="install"))
        self.addCleanup(shutil.rmtree, self.folder)
        for name, body in FAKE.items():
            tool = self.folder / name
            tool.write_text(f"#!/bin/bash\n{body}\n")
            tool.chmod(0o755)
        self.log = self.folder / "log"

    def run_install(self, *arguments, missing="", uid=0, sudo=False, broken="", lists=""):
        environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}",
                       "MISSING": missing, "FAKE_UID": str(uid), "LOG": str(self.log),
                       "SUDO_WORKS": "1" if sudo else "0", "BROKEN": broken, "LISTS": lists}
        return subprocess.run([CI / "install", *arguments], env=environment, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True)

    def calls(self):
        return self.log.read_text() if self.log.exists() else ""

    def test_says_and_does_nothing_when_nothing_is_missing(self):
        done = self.run_install("run", "test", "full")
        self.assertEqual((done.returncode, done.stdout, done.stderr, self.calls()), (0, "", "", ""))

    def test_installs_only_what_is_missing(self):
        done = self.run_install("run", "test", missing="ccache iperf3")
        self.assertEqual(done.returncode, 0, done.stderr)
        installs = [line for line in self.calls().splitlines() if " install " in line]
        self.assertEqual(len(installs), 1)
        self.assertTrue(installs[0].endswith("install --no-install-recommends ccache iperf3"))

    def test_says_packages_megabytes_and_need_of_root_before_it_acts(self):
        done = self.run_install("run", missing="ccache")
        for said in ("ccache", " 4 MB", "root"):  # 3.5 MB, rounded up
            self.assertIn(said, done.stderr)

    def test_without_package_lists_the_megabytes_are_said_before_the_download(self):
        done = self.run_install("run", missing="ccache", lists=str(self.folder / "lists"))
        self.assertEqual(done.returncode, 0, done.stderr)
        first, then = done.stderr.split("apt-get update will tell")
        self.assertNotIn("To download", first)
        self.assertIn(" 4 MB", then)

    def test_a_dry_run_changes_nothing_even_without_root(self):
        done = self.run_install("--dry-run", "run", missing="ccache", uid=1000)
        self.assertEqual((done.returncode, self.calls()), (0, ""))
        self.assertIn("ccache", done.stderr)

    def test_installs_through_sudo(self):
        done = self.run_install("run", missing="ccache", uid=1000, sudo=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("install --no-install-recommends ccache", self.calls())

    def test_without_root_and_sudo_it_says_what_to_ask_for(self):
        done = self.run_install("run", missing="ccache", uid=1000)
        self.assertEqual((done.returncode, self.calls()), (3, ""))
        self.assertIn("apt-get install --no-install-recommends ccache", done.stderr)

    def test_a_failed_installation_is_an_error(self):
        self.assertEqual(self.run_install("run", missing="ccache", broken="1").returncode, 1)

    def test_usage(self):
        self.assertEqual(self.run_install().returncode, 2)
        self.assertEqual(self.run_install("everything").returncode, 2)
        self.assertEqual(self.run_install("--quick", "run").returncode, 2)

    def test_prints_the_packages_of_a_section(self):
        printed = self.run_install("--print", "full").stdout.split()
        self.assertIn("clang-tidy", printed)
        self.assertNotIn("cmake", printed)
        self.assertTrue(all(re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", name) for name in printed))


if __name__ == "__main__":
    unittest.main()
