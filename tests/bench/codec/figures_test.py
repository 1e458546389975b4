"""The arithmetic between what godwit-distortion says and the figures."""

import os
import sys
import tempfile
import unittest
from xml.etree import ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", ".."))

from bench.codec import distortion, picture, speed, table  # noqa: E402
from bench.lab.failure import Failure  # noqa: E402


def said(ratio_of):
    return [{"set": name, "figure": kind, "value": ratio_of(name, kind, at) * 1000, "reference_value": 1000,
             "at": at, "error": 0.3 / at ** 0.5}
            for name in distortion.SETS for _, kind, *_ in distortion.figures_of(name) for at in (0.25, 0.5)]


def rounds(ratio_of):
    return [{"figure": name, "value": ratio_of(name) * reference, "reference_value": reference}
            for name, *_ in speed.FIGURES for reference in (10, 12, 11)]


class TheFigures(unittest.TestCase):
    def test_have_the_names_that_the_table_promises(self):
        names = [figure.name for figure in distortion.figures(said(lambda *_: 0.5))]
        names += [figure.name for figure in speed.figures(rounds(lambda name: 0.5))]
        self.assertEqual(sorted(names), sorted(name for b in table.BENCHMARKS for name in b.names))
        self.assertIn("bytes_vs_topk8_images_grad", names)

    def test_the_worst_point_counts(self):
        found = {f.name: f for f in distortion.figures(said(lambda name, kind, at: 0.71 if at == 0.5 else 0.3))}
        self.assertFalse(found["bytes_vs_topk8_text_d1"].met())
        self.assertTrue(found["bytes_vs_int4_text_d1"].met())
        self.assertIsNone(found["bytes_vs_eden_text_d1"].met())
        # sqrt(0.71 * 0.3)
        self.assertAlmostEqual(found[distortion.MEAN].values[0], 0.4615, 3)
        self.assertTrue(found[distortion.MEAN].met())

    def test_a_speed_is_judged_by_the_median_ratio_of_its_rounds(self):
        found = {f.name: f for f in speed.figures(rounds(lambda name: 0.33 if "encode_0.2" in name else 0.99))}
        self.assertEqual(len(found["scan"].pairs), 3)
        self.assertTrue(found["bpc_encode_0.2_dense"].met())
        self.assertTrue(found["xh_size_vs_entropy_fp32"].met(), "less is better")
        self.assertFalse(found["xh_vs_shuffle_zstd"].met())
        self.assertIsNone(found["xh_bytes_vs_zfp"].met())
        # 9.9 GB/s of 4 bytes are 2.475 G elements, at 1 bit each as many Gbit/s.
        self.assertAlmostEqual(found["encode_cores_10gbit_bpc_1"].values[0], 10 / 2.475, 6)
        with self.assertRaisesRegex(Failure, "nothing of scan"):
            speed.figures([line for line in rounds(lambda name: 1) if line["figure"] != "scan"])

    def test_what_is_missing_is_named(self):
        lines = [line for line in said(lambda *_: 0.5) if (line["set"], line["figure"]) != ("text_d1", "stc")]
        with self.assertRaisesRegex(Failure, "stc for text_d1"):
            distortion.figures(lines)


class ThePicture(unittest.TestCase):
    def test_has_a_panel_for_each_set_and_every_rival(self):
        lines = said(lambda *_: 0.5)
        with tempfile.TemporaryDirectory() as folder:
            picture.draw(folder, lines)
            with open(os.path.join(folder, "codec_distortion.svg"), encoding="utf-8") as file:
                drawn = ElementTree.parse(file)
        words = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
        for name in distortion.SETS:
            self.assertEqual(words.count(name), 1)
        for label in ("BPC", "ideal, order 1", "top-k + 8 bit", "EDEN", "E3M0", "int4", "int8", "sign"):
            self.assertEqual(words.count(label), len(distortion.SETS))

    def test_ours_has_the_bits_that_are_its_own(self):
        curves = picture.curves_of([{"set": "s", "figure": "ideal_end", "value": 110, "reference_value": 100, "at": 1.1,
                                     "error": 0.2},
                                    {"set": "s", "figure": "topk8", "value": 60, "reference_value": 100, "at": 1.0,
                                     "error": 0.4}])
        self.assertEqual(curves["BPC"][1], [(1.1, 0.2)])
        self.assertAlmostEqual(curves["ideal, order 1"][1][0][0], 1.0)
        self.assertEqual(curves["top-k + 8 bit"][1], [(1.0, 0.4)])


if __name__ == "__main__":
    unittest.main()
