"""Equal seeds give equal event hashes in two processes, whatever surrounds them."""

import os
import re
import subprocess
import tempfile
import unittest

PROGRAM = os.path.join(os.environ["GODWIT_BUILD"], "tests", "sim", "godwit-sim")


def hash_of(level, seeds, surroundings):
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([PROGRAM, "--level", str(level), "--seed", "3", "--seeds", str(seeds)],
                              capture_output=True, text=True, cwd=folder, env={**os.environ, **surroundings})
    assert done.returncode == 0, done.stdout + done.stderr
    return re.search(r"hash ([0-9a-f]{16})", done.stdout).group(1)


class Repeat(unittest.TestCase):
    def test_level_1(self):
        self.assertEqual(hash_of(1, 20, {}), hash_of(1, 20, {"MALLOC_PERTURB_": "85", "PADDING": "x" * 5000}))

    def test_level_2(self):
        self.assertEqual(hash_of(2, 2, {}), hash_of(2, 2, {"MALLOC_PERTURB_": "85", "PADDING": "x" * 5000}))


if __name__ == "__main__":
    unittest.main()
