"""The main job from its command to its figures: two rows, once as root and once in a user namespace."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
VALID_OR_NOT = (0, 1)  # a machine that is busy makes a run invalid, never wrong


class Quickstart(unittest.TestCase):
    def check(self, *enter):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "figures.json")
            done = subprocess.run([*enter, ROOT / "bench" / "quickstart", "--only", "oracle,godwit", "--json", path],
                                  capture_output=True, text=True)
            self.assertIn(done.returncode, VALID_OR_NOT, done.stdout + done.stderr)
            with open(path, encoding="utf-8") as file:
                figures = json.load(file)
        self.assertEqual([run["name"] for run in figures["runs"]], ["oracle", "godwit"])
        self.assertEqual((figures["identical"], figures["conservation_defect"]), (True, 0))
        self.assertEqual(done.returncode == 0, all(run["valid"] for run in figures["runs"]), done.stdout)
        for run in figures["runs"]:
            self.assertGreater(run["final_accuracy"], 0.5)
            self.assertGreater(run["wan_bytes"], 0)
        self.assertIsNotNone(figures["ratio_to_oracle"])

    def test_runs(self):
        self.check()

    def test_runs_without_root(self):
        self.check("unshare", "-rUn")


if __name__ == "__main__":
    unittest.main()
