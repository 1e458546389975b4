"""A Python program whose reader has gone ends without a word; any other broken pipe is a failure."""

import itertools
import os
import signal
import subprocess
import sys
import unittest

ROOT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "..")

# Says more than a pipe holds, so that it meets the closed end while it runs.
TALKER = """
from bench.lab import program
def main():
    for number in range(100000):
        print("a line of text", number)
    return 0
program.run(main)
"""
# The pipe that breaks is to a child; standard output is whole.
OTHER_PIPE = """
import os
from bench.lab import program
def main():
    read, write = os.pipe()
    os.close(read)
    os.write(write, b"x")
program.run(main)
"""
STATUS = """
from bench.lab import program
program.run(lambda status: status, 7)
"""


def read_a_line(command):
    """The program's first line, status and standard error when its reader goes after that line."""
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as child:
        first = child.stdout.readline()
        child.stdout.close()
        error = child.stderr.read()
        return first, child.wait(30), error


class ClosedPipe(unittest.TestCase):
    def test_a_program_ends_quietly_while_it_talks(self):
        first, status, error = read_a_line([sys.executable, "-B", "-c", TALKER])
        self.assertEqual(first, "a line of text 0\n")
        self.assertEqual((status, error), (128 + signal.SIGPIPE, ""))

    def test_and_when_all_it_said_is_still_in_its_buffer(self):
        read, write = os.pipe()
        os.close(read)
        # PYTHONUNBUFFERED: the first print meets it, or the last flush.
        for buffered, words in itertools.product(("", "1"), (("dataplane", "--list"), ("--help",))):
            with self.subTest(words=words, buffered=buffered):
                done = subprocess.run(["bench/run", *words], cwd=ROOT, stdout=write,
                                      stderr=subprocess.PIPE, text=True, timeout=60, check=False,
                                      env={**os.environ, "PYTHONUNBUFFERED": buffered})
                self.assertEqual(done.stderr, "")
                # argparse takes no notice of help that nobody reads.
                self.assertIn(done.returncode, (128 + signal.SIGPIPE, *([0] if "--help" in words else [])))
        os.close(write)

    def test_another_broken_pipe_is_a_failure(self):
        done = subprocess.run([sys.executable, "-B", "-c", OTHER_PIPE], cwd=ROOT, text=True,
                              capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("BrokenPipeError", done.stderr)

    def test_a_status_is_the_programs(self):
        done = subprocess.run([sys.executable, "-B", "-c", STATUS], cwd=ROOT, timeout=60, check=False)
        self.assertEqual(done.returncode, 7)

    def test_every_program_ends_this_way(self):
        """A main of its own that is not run by the helper would be one that says a traceback."""
        for folder in ("bench", "tests/tidy", "tests/support"):  # those of tests/integration are unittests
            for path, _, names in os.walk(os.path.join(ROOT, folder)):
                for name in names:
                    whole = os.path.join(path, name)
                    if name.endswith((".py", "report")) and not name.endswith("_test.py"):
                        with open(whole, encoding="utf-8") as file:
                            text = file.read()
                        self.assertNotRegex(text, r"\n    sys\.exit\(main\(", whole)


if __name__ == "__main__":
    unittest.main()
