"""A program of one's own links the client from this tree, as README.md says."""
import pathlib
import shutil
import tempfile
import unittest

import lab as harness

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROJECT = """cmake_minimum_required(VERSION 3.25)
project(trainer LANGUAGES C CXX)
set(CMAKE_CXX_STANDARD 20)
set(GODWIT_TESTS OFF)
set(GODWIT_BENCH OFF)
add_subdirectory({root} godwit EXCLUDE_FROM_ALL)
add_executable(trainer {root}/api/examples/publish.cc)
target_link_libraries(trainer godwit_client)
"""


class Embedding(unittest.TestCase):
    def test_another_project_links_the_client(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="embedding-"))
        self.addCleanup(shutil.rmtree, folder)
        (folder / "CMakeLists.txt").write_text(PROJECT.format(root=ROOT))
        build = folder / "build"
        launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
        for words in (["cmake", "-S", folder, "-B", build, "-G", "Ninja", *launcher],
                      # Two minutes: only at length. What is generated shows that paths are right.
                      ["ninja", "-C", build, *(["trainer"] if harness.FULL else
                                               ["godwit/generated/api/proto/local.pb.h"])]):
            done = harness.run(*words, timeout=600)
            self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])


if __name__ == "__main__":
    unittest.main()
