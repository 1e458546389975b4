"""`godwit bench codec` as people run it: the program itself, its files, its picture.

usage: bench_codec_test.py PATH_OF_GODWIT
"""
import json
import math
import os
import random
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml

GODWIT = ""
SVG = "{http://www.w3.org/2000/svg}"


def npy(descr, shape, data):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    header = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def gaussian(count, deviation):
    draw = random.Random(1)
    return [draw.gauss(0, deviation) for _ in range(count)]


def floats(values):
    return struct.pack(f"<{len(values)}f", *values)


class BenchCodec(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def file(self, name, content):
        path = os.path.join(self.folder.name, name)
        with open(path, "wb") as out:
            out.write(content)
        return path

    def run_words(self, *words, code=0):
        ran = subprocess.run([GODWIT, "bench", "codec", "--repetitions", "1", *words],
                             capture_output=True, timeout=120, check=False)
        self.assertEqual(ran.returncode, code, (words, ran))
        return ran.stdout.decode(), ran.stderr.decode()

    def lines(self, *words):
        return [json.loads(line) for line in self.run_words(*words, "--json")[0].splitlines()]

    def refusal(self, *words):
        out, err = self.run_words(*words, code=2)
        self.assertEqual(out, "")
        self.assertTrue(err.startswith("godwit: "), err)
        return err

    def test_the_first_line_says_what_matters(self):
        path = self.file("w.npy", npy("<f4", "(200, 300)", floats(gaussian(60000, 0.01))))
        out, err = self.run_words(path)
        self.assertEqual(err, "")
        first, second, heading, *rows = out.splitlines()
        self.assertRegex(first, r"^60,000 values of fp32; within 1 % error BPC needs [67]\.\d+ bits "
                                r"per value, [45]\.\d+ times less than fp32$")
        self.assertIn("40 fraction bits (as a topic has that does not say)", second)
        self.assertEqual(heading.split()[:3], ["CODEC", "SETTING", "BITS/VALUE"])
        for codec in ("BPC", "SL", "Q4", "Q8", "RAW", "XH"):
            self.assertTrue(any(row.startswith(codec + " ") for row in rows), codec)
        self.assertIn("memcpy made", rows[-1])

    def test_numbers_for_scripts_agree_with_one_another(self):
        values = gaussian(60000, 0.01)
        path = self.file("w.npy", npy("<f4", "(60000,)", floats(values)))
        tensor, *rows = self.lines(path)
        self.assertEqual((tensor["values"], tensor["values_measured"], tensor["type"]),
                         (60000, 60000, "fp32"))
        self.assertEqual(tensor["target_error"], 0.01)
        for row in rows:
            self.assertAlmostEqual(row["bits_per_value"], 8 * row["bytes"] / 60000)
            self.assertAlmostEqual(row["ratio_to_fp32"], 4 * 60000 / row["bytes"])
            self.assertAlmostEqual(row["energy_delivered"], 1 - row["relative_error"] ** 2)
            self.assertGreater(row["encode_bytes_per_s"], 0)
        q8 = [row for row in rows if row["codec"] == "Q8"]
        self.assertEqual([row["bytes"] for row in q8], [60000 + 2 * (128 + 107)])
        target = [row for row in rows if row["is_target"]]
        self.assertEqual([row["bits_per_value"] for row in target], [tensor["target_bits_per_value"]])
        self.assertLessEqual(target[0]["relative_error"], 0.01)

    def test_the_picture_is_well_formed_and_has_the_curves(self):
        path = self.file("a <&> b\x01.npy", npy("<f4", "(40000,)", floats(gaussian(40000, 0.01))))
        picture = os.path.join(self.folder.name, "p.svg")
        self.run_words(path, "--svg", picture, "--error", "5")
        root = xml.parse(picture).getroot()
        self.assertEqual(root.tag, SVG + "svg")
        self.assertIn("a <&> b?.npy: 40,000 values of fp32", root.find(SVG + "title").text)
        self.assertFalse(any("http" in value for one in root.iter() for value in one.attrib.values()))
        curves = {line.get("class"): [tuple(map(float, point.split(",")))
                                      for point in line.get("points").split()]
                  for line in root.iter(SVG + "polyline")}
        self.assertEqual(set(curves), {"BPC", "SL"})
        self.assertGreaterEqual(len(curves["BPC"]), 14)
        for points in curves.values():
            self.assertEqual(points, sorted(points))  # right and down
            self.assertTrue(all(math.isfinite(part) for point in points for part in point))
            self.assertTrue(all(0 <= x <= 900 and 0 <= y <= 560 for x, y in points))
        text = " ".join(part for one in root.iter(SVG + "text") for part in one.itertext())
        for word in ("bits per value", "relative L2 error", "at 5 %", "fp32", "Q4", "Q8", "RAW", "XH"):
            self.assertIn(word, text)

    def test_a_picture_replaces_pictures_alone(self):
        path = self.file("w.npy", npy("<f4", "(3,)", floats([1, 2, 3])))
        other = self.file("other.npy", b"precious")
        self.assertIn("does not end in .svg", self.refusal(path, "--svg", other))
        with open(other, "rb") as kept:
            self.assertEqual(kept.read(), b"precious")
        nowhere = os.path.join(self.folder.name, "no", "where.svg")
        out, err = self.run_words(path, "--svg", nowhere, code=1)
        self.assertIn("3 values of fp32", out)
        self.assertIn(f"{nowhere}: the picture cannot be written", err)

    def test_small_tensors(self):
        for name, shape, values, said in (
                ("none", "(0, 7)", [], "0 values of fp32; there is nothing to code"),
                ("zeros", "(40000,)", [0.0] * 40000, "all are zero, and zeros are never sent"),
                ("one", "()", [0.37], "1 value of fp32; BPC does not come within 1 % error; Q4 does with 24 bits"),
                ("few", "(5,)", [1, 2, 3, 4, -5], "5 values of fp32; within 1 % error BPC needs")):
            with self.subTest(name):
                path = self.file(name + ".npy", npy("<f4", shape, floats(values)))
                picture = os.path.join(self.folder.name, name + ".svg")
                out, _ = self.run_words(path, "--svg", picture)
                self.assertIn(said, out.splitlines()[0])
                xml.parse(picture)
                self.assertEqual(self.lines(path)[0]["values"], len(values))

    def test_other_types(self):
        values = gaussian(5000, 0.01)
        brain = b"".join(struct.pack("<f", value)[2:] for value in values)
        cases = {
            "fp64": self.file("d.npy", npy("<f8", "(5000,)", struct.pack("<5000d", *values))),
            "fp16": self.file("h.npy", npy("<f2", "(5000,)", struct.pack("<5000e", *values))),
            "bf16": self.file("b.bin", brain),
            "int64": self.file("i.npy", npy("<i8", "(5000,)", struct.pack("<5000q", *range(5000)))),
        }
        for name, path in cases.items():
            with self.subTest(name):
                tensor, *rows = self.lines(path, *(["--dtype", "bf16"] if name == "bf16" else []))
                self.assertEqual((tensor["type"], tensor["values"]), (name, 5000))
                self.assertEqual(any(row["codec"] == "XH" for row in rows), name != "fp64")
                self.assertEqual(tensor["fraction_bits"], 0 if name == "int64" else 40)
                raw = [row for row in rows if row["codec"] == "RAW"]
                self.assertLess(raw[0]["relative_error"], 1e-9)

    def test_a_part_of_a_raw_file(self):
        path = self.file("a.bin", b"12345678" + floats(gaussian(1000, 1)) + b"trailer")
        tensor = self.lines(path, "--dtype", "fp32", "--offset", "8", "--count", "1000")[0]
        self.assertEqual(tensor["values"], 1000)
        self.assertIn("no whole number of fp32", self.refusal(path, "--dtype", "fp32", "--offset", "8"))

    def test_of_a_large_tensor_tiles_are_taken_evenly(self):
        values = [0.0] * (10 * 32768 + 5)
        for tile in (0, 3, 7):  # three of eleven: 0, 11/3 and 22/3 rounded down
            values[tile * 32768] = 1.0
        values[32768] = math.nan  # in a tile that is not looked at
        path = self.file("w.npy", npy("<f4", f"({len(values)},)", floats(values)))
        out, _ = self.run_words(path, "--values", "100000")
        self.assertIn("98,304 of 327,685 values of fp32", out.splitlines()[0])
        self.assertIn("3 tiles of 32,768 values, spread evenly", out)
        tensor, *rows = self.lines(path, "--values", "100000")
        self.assertEqual(tensor["values_measured"], 98304)
        # All three ones are there: a list of one element each is some bytes.
        raw = [row["bytes"] for row in rows if row["codec"] == "RAW"]
        self.assertEqual(raw, [3 * (1 + 32768 * 42 // 8)])

    def test_wrong_files_are_named_with_what_to_do(self):
        path = self.file("x.npy", npy("<f4", "(3,)", floats([1, math.nan, 3])))
        self.assertEqual(self.refusal(path),
                         f"godwit: {path}: value 1 is nan; a topic takes finite values only\n")
        path = self.file("y.npy", npy("<f4", "(3,)", floats([1, 2])))
        self.assertIn(f"{path}: 3 elements of 4 bytes are announced, and 8 bytes follow", self.refusal(path))
        self.assertIn("--dtype fp32 or one of", self.refusal(self.file("z", b"1234")))
        self.assertIn("No such file", self.refusal(os.path.join(self.folder.name, "none")))
        self.assertIn("is no file with a size", self.refusal(self.folder.name))
        self.assertIn("is none of fp32, fp64", self.refusal(path, "--dtype", "fp8"))
        out, err = self.run_words(path, "--json", code=2)
        self.assertEqual((json.loads(out)["error"]["code"], err), ("corrupt", ""))

    def test_progress_is_for_terminals(self):
        path = self.file("w.npy", npy("<f4", "(5000,)", floats(gaussian(5000, 1))))
        ours, theirs = os.openpty()
        ran = subprocess.Popen([GODWIT, "bench", "codec", "--repetitions", "1", path],
                               stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        said = b""
        try:
            while part := os.read(ours, 65536):
                said += part
        except OSError:  # the other end is closed: Linux says EIO
            pass
        os.close(ours)
        self.assertEqual(ran.wait(timeout=120), 0)
        self.assertIn(b"BPC at 0.5 bits a value", said)
        self.assertTrue(said.endswith(b"\r\x1b[K"))


if __name__ == "__main__":
    GODWIT = sys.argv.pop(1)
    unittest.main()
