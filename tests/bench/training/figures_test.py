"""The arithmetic between what godwit-training says, the figures and the pictures."""

import os
import sys
import tempfile
import unittest
from xml.etree import ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", ".."))

from bench.lab import drawing, machine, suite  # noqa: E402
from bench.lab.failure import Failure  # noqa: E402
from bench.training import courses, picture, table  # noqa: E402

ROUNDS = 3
SEEDS = (1, 2, 3)
SVG = "{http://www.w3.org/2000/svg}"


def said(score_of, defect=0):
    """A line for each round of each course under each seed; the score rises by a tenth a round."""
    return [{"model": model, "outer": outer, "bits": bits, "seed": seed, "round": number,
             "bytes": number * bits * 1e6, courses.MEASURES[model]: score_of(model, outer, bits, seed) * number / ROUNDS,
             "open_share": 0.5, "defect": defect}
            for seed in SEEDS for model, outer, bits in courses.COURSES for number in range(1, ROUNDS + 1)]


class TheFigures(unittest.TestCase):
    def test_have_the_names_that_the_table_promises(self):
        names = [figure.name for figure in courses.figures(said(lambda *_: 0.5))]
        self.assertEqual(names, [name for benchmark in table.BENCHMARKS for name in benchmark.names])
        self.assertEqual(len(names), len(set(names)))
        self.assertIn("images_nesterov_0.05", names)
        self.assertIn("text_average_fp32", names)
        self.assertNotIn("images_dropped_fp32", names)
        self.assertNotIn("text_inside_1", names)
        for name in table.PROGRAMS:
            self.assertTrue(machine.program(name).endswith("/" + name))

    def test_are_medians_of_last_rounds_beside_the_same_uncoded(self):
        def score(model, outer, bits, seed):
            if (outer, bits) == ("nesterov", 32):
                return 0.8
            return 0.1 * seed if (outer, bits) == ("nesterov", 0.2) else 0.4
        found = {figure.name: figure.members() for figure in courses.figures(said(score))}
        self.assertEqual((found["images_nesterov_0.2"]["value"], found["images_nesterov_0.2"]["ratio"],
                          found["images_nesterov_0.2"]["runs"]), (0.2, 0.25, 3))
        self.assertEqual(found["text_dropped_1"]["ratio"], 0.5, "beside nesterov")
        self.assertEqual(found["text_nesterov_fp32"]["ratio"], 2, "beside the plain average")

    def test_a_bar_asks_for_more_accuracy_and_for_less_loss(self):
        for factor, met in ((0.98, {"images": False, "text": True}), (1.03, {"images": True, "text": False})):
            lines = said(lambda model, outer, bits, seed: 0.5 if bits == 32 else 0.5 * factor)
            found = {figure.name: figure.met() for figure in courses.figures(lines)}
            for model in met:
                self.assertIs(found[f"{model}_average_1"], met[model], factor)
        self.assertIsNone(found["images_nesterov_1"])

    def test_what_is_missing_is_named(self):
        lines = [line for line in said(lambda *_: 0.5) if (line["outer"], line["bits"]) != ("gentle", 0.5)]
        with self.assertRaisesRegex(Failure, "nothing of images_gentle_0.5"):
            courses.figures(lines)

    def test_wrong_books_are_no_figures(self):
        lines = said(lambda *_: 0.5)
        lines[0]["defect"] = 3
        with self.assertRaisesRegex(Failure, "images_average_0.05.* 3 quanta"):
            courses.figures(lines)


class ThePictures(unittest.TestCase):
    def setUp(self):
        self.courses = courses.by_course(said(lambda model, outer, bits, seed: 0.3 + 0.01 * bits ** 0.5 + 0.1 * seed))

    def test_are_drawn_into_the_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            names = picture.draw(folder, self.courses)
            self.assertEqual(sorted(os.listdir(folder)), names)
            self.assertEqual(len(names), 3)
            for name in names:
                ElementTree.parse(os.path.join(folder, name))

    def test_a_curve_for_each_budget_ends_where_its_median_does(self):
        root = ElementTree.fromstring(picture.against_bytes("images", self.courses))
        self.assertEqual(len(root.findall(f"{SVG}path")), 5)
        words = " ".join(root.itertext())
        for label in ("0.05 bit", "1 bit", "fp32"):
            self.assertIn(label, words)
        ends = [(float(circle.get("cx")), float(circle.get("cy"))) for circle in root.findall(f"{SVG}circle")]
        self.assertEqual(ends, sorted(ends), "more bytes, further right")
        # From 0.2 to 1 bit is as far as from 1 to 5: logarithmic.
        self.assertAlmostEqual((ends[3][0] - ends[1][0]) / (ends[4][0] - ends[3][0]), 0.4644, 2)  # ln 5 / ln 32

    def test_more_accuracy_and_more_loss_stand_higher(self):
        for model in ("images", "text"):
            axis = picture.score_axis([0.2, 0.8], 50, 350)
            self.assertLess(axis.at(0.8), axis.at(0.2), model)

    def test_the_outer_optimisers_have_a_line_each_with_a_mark_of_its_own(self):
        root = ElementTree.fromstring(picture.hazard(self.courses))
        paths = root.findall(f"{SVG}path")
        self.assertEqual(len(paths), 2 * (6 + 5), "by budget, and by round")
        self.assertEqual(len({path.get("stroke-dasharray") for path in paths}), 6)
        words = " ".join(root.itertext())
        for label in picture.WORDS.values():
            self.assertIn(label, words)

    def test_labels_are_pushed_apart_and_stay_inside(self):
        for wanted in ([10, 11, 12], [99, 99.5, 100], [0, 50, 100], [100, 0, 1]):
            heights = drawing.spread(wanted, 0, 100)
            ordered = sorted(heights)
            self.assertGreaterEqual(ordered[0], 0)
            self.assertLessEqual(ordered[-1], 100)
            self.assertTrue(all(b - a >= drawing.LINE - 1e-9 for a, b in zip(ordered, ordered[1:])), heights)
            ranks = sorted(range(3), key=lambda i: (wanted[i], i))
            self.assertEqual(ranks, sorted(range(3), key=lambda i: (heights[i], i)))


class TheCommand(unittest.TestCase):
    def test_refuses_pictures_where_there_are_none_or_no_folder(self):
        sys.stderr, kept = open(os.devnull, "w", encoding="utf-8"), sys.stderr
        try:
            for words in (["dataplane", "--pictures", "."], ["training", "--pictures", "/no/such/folder"]):
                with self.assertRaises(SystemExit) as ended:
                    suite.parse(words)
                self.assertEqual(ended.exception.code, 2, words)
        finally:
            sys.stderr.close()
            sys.stderr = kept
        self.assertEqual(suite.parse(["training", "--pictures", "."])[0].pictures, ".")


if __name__ == "__main__":
    unittest.main()
