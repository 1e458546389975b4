#!/usr/bin/env python3
"""What tests/check prints after a run, from a run that is written down here."""
import pathlib
import sys
import unittest
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import summary  # noqa: E402

RUN = """<testsuite>
<testcase name="codec_test" time="1.5" status="run"><system-out>
[  PASSED  ] 12 tests.
</system-out></testcase>
<testcase name="sim_a" time="40" status="run"><system-out>
[  PASSED  ] 3 tests.
count: level-1 seeds 1500
count: mutants killed 10 of 10
about count: level-1 seeds 7
</system-out></testcase>
<testcase name="sim_b" time="7" status="fail"><system-out>
count: level-1 seeds 500
count: mutants killed 6 of 7
</system-out></testcase>
<testcase name="sim_c" time="0" status="fail"/>
<testcase name="tidy_test" time="1" status="run"><system-out>Ran 31 tests in 0.4s
</system-out></testcase>
</testsuite>"""


class Summary(unittest.TestCase):
    def setUp(self):
        self.run_ = xml.etree.ElementTree.fromstring(RUN)
        self.lines = list(summary.summarise(self.run_))

    def test_counts_programs_and_cases(self):
        self.assertIn("test programs 5, test cases 46", self.lines)  # 12 + 3 + 31

    def test_adds_equal_counts_of_different_tests(self):
        self.assertIn("level-1 seeds 2,000", self.lines)
        self.assertIn("mutants killed 16 of 17", self.lines)

    def test_names_what_is_red_and_what_is_slow(self):
        self.assertIn("red: sim_b sim_c", self.lines)
        self.assertIn("slowest: sim_a 40 s, sim_b 7 s, codec_test 2 s, tidy_test 1 s, sim_c 0 s", self.lines)

    def test_shows_the_end_of_what_is_red(self):
        self.run_.find("testcase[@name='sim_b']/system-out").text = "\n".join(f"line {i}" for i in range(100))
        self.assertEqual(list(summary.ends_of_red(self.run_)),
                         ["--- the end of sim_b", *(f"line {i}" for i in range(70, 100)),
                          "--- the end of sim_c", "it printed nothing"])


if __name__ == "__main__":
    unittest.main()
