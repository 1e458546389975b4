"""godwit-training, run for seconds: its books are right, its lines repeatable."""

import json
import os
import subprocess
import unittest

PROGRAM = os.path.join(os.environ["GODWIT_BUILD"], "bench", "training", "godwit-training")
SECONDS_MAX = 120
SITES, ROUNDS = 2, 2
PARAMETERS = {"images": 1_010_850, "text": 796_032}


def ran(*words):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=SECONDS_MAX, check=False)


def said(*words):
    done = ran("--quick", "--sites", str(SITES), "--rounds", str(ROUNDS), "--steps", "1", *words)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


class TheTrainingProgram(unittest.TestCase):
    def test_says_a_line_for_each_round_with_right_books(self):
        for model, measure in (("images", "accuracy"), ("text", "loss")):
            lines = said("--model", model, "--outer", "average,published", "--bits", "0.05,1,32")
            self.assertEqual([(line["outer"], line["bits"], line["round"]) for line in lines],
                             [(outer, bits, number) for outer in ("average", "published") for bits in (0.05, 1, 32)
                              for number in range(1, ROUNDS + 1)])
            for line in lines:
                self.assertEqual((line["model"], line["seed"], line["defect"]), (model, 1, 0))
                self.assertGreater(line[measure], 0)
                # A site sends to each other one, and no more than its budget.
                budget = line["round"] * SITES * (SITES - 1) * line["bits"] * PARAMETERS[model] / 8
                self.assertLessEqual(line["bytes"], budget)
                self.assertGreater(line["bytes"], 0.5 * budget)
            open_shares = [line["open_share"] for line in lines if line["round"] == ROUNDS][:3]
            self.assertEqual(open_shares, sorted(open_shares, reverse=True))
            self.assertGreater(open_shares[1], 0)
            self.assertEqual(open_shares[2], 0)

    def test_equal_seeds_give_equal_lines(self):
        words = ("--model", "images", "--outer", "nesterov", "--bits", "0.2")
        first, second, other = said(*words), said(*words), said(*words, "--seed", "2")
        self.assertEqual(first, second)
        self.assertNotEqual([line["bytes"] for line in first], [line["bytes"] for line in other])

    def test_leaves_out_what_has_no_meaning(self):
        self.assertEqual(said("--model", "images", "--outer", "dropped", "--bits", "32"), [])
        self.assertEqual(said("--model", "text", "--outer", "inside", "--bits", "1"), [])

    def test_refuses_what_it_does_not_know(self):
        for words in (["--outer", "adam"], ["--model", "speech"], ["--bits", "0"], ["--sites", "1"]):
            done = ran(*words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)


if __name__ == "__main__":
    unittest.main()
