#!/usr/bin/env python3
"""Breaches planted in a small tree of its own: each must be found, and nothing else."""
import json
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import headers  # noqa: E402
import tidy  # noqa: E402
from tree import Tree, without_comments  # noqa: E402

HEADER = "// What this small file is for.\n#pragma once\n"

# A tree without a breach.
CLEAN = {
    "README.md": "# Sample\n[the codec](codec/README.md) [code](codec/a.h#L1) "
                 "[web](https://example.org/none) `[not](a_link)`\n",
    "codec/README.md": "# codec\n- `raw/`: as it is\n",
    "codec/CMakeLists.txt": "godwit_library(codec DEPENDS base)\n",
    "codec/a.h": HEADER + '#include "dataplane/base/units.h"\n',
    "codec/a.cc": '#include "codec/a.h"\n// time(nullptr), printf( and assert( only in a comment\n'
                  'static_assert(true);\nGODWIT_ASSERT(true);\nconst char* text = "rand()";\n'
                  "int randomise(int seed);\nint x = snprintf(b, 1, c);\n",
    "codec/raw/raw.cc": '#include "codec/a.h"\n',
    "dataplane/base/README.md": "# base\n",
    "dataplane/base/CMakeLists.txt": "godwit_library(base)\n",
    "dataplane/base/units.h": HEADER,
    "dataplane/base/system_time.cc": "clock_gettime(CLOCK_MONOTONIC, &now);\n",
    "tests/README.md": "# tests\n",
    "tests/codec/CMakeLists.txt": "foreach(name a b)\n  godwit_test(${name}_test SOURCES "
                                  "${name}_test.cc)\nendforeach()\n",
    "tests/codec/a_test.cc": '#include "codec/a.h"\n#include "tests/support/hex.h"\n',
    "tests/codec/b_test.cc": "",
    "tests/support/hex.h": HEADER,
    "tests/fuzz/CMakeLists.txt": "godwit_fuzz(raw SOURCES raw_fuzz.cc DEPENDS codec)\n",
    "tests/fuzz/raw_fuzz.cc": "",
    "tests/fuzz/corpus/raw/one": "FIX" + "ME is data here",
    "bench/wan/README.md": "# wan\n",
    "bench/wan/presets.py": "PRESET = 'ec2-" + "vc'\n",
}


class Planted(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="tidy"))
        self.addCleanup(shutil.rmtree, self.root)
        for path, text in CLEAN.items():
            self.write(path, text)

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def found(self):
        return [f"{f.path}:{f.line}" for f in tidy.findings(self.root)]

    def plant(self, path, text, *expected):
        """Writes `text`, expects exactly these findings."""
        self.write(path, text)
        self.assertEqual(self.found(), list(expected), [str(f) for f in tidy.findings(self.root)])

    def test_a_clean_tree_has_no_findings(self):
        self.assertEqual(tidy.findings(self.root), [])

    # The dependency rule.

    def test_an_engine_includes_another_engine(self):
        self.plant("codec/a.cc", '\n#include "scheduler/x.h"\n', "codec/a.cc:2")

    def test_a_header_of_dpdk_stands_outside_of_its_folder(self):
        self.plant("codec/a.cc", "\n#include <rte_mbuf.h>\n", "codec/a.cc:2")
        self.write("codec/a.cc", "")
        self.write("dataplane/port/README.md", "# port\n`dpdk/`\n")
        self.write("dataplane/port/CMakeLists.txt", "godwit_library(port)\n")
        self.plant("dataplane/port/dpdk/a.cc", "#include <rte_mbuf.h>\n")

    def test_an_engine_includes_the_composition_root(self):
        self.plant("codec/a.cc", '#include "api/gateway/gateway.h"\n', "codec/a.cc:1")

    def test_base_includes_what_stands_above_it(self):
        self.plant("dataplane/base/units.h", HEADER + '#include "monitoring/catalog.h"\n',
                   "dataplane/base/units.h:3")

    def test_a_room_of_the_data_plane_includes_the_one_above(self):
        self.plant("dataplane/base/README.md", "# base")
        self.write("dataplane/README.md", "`ledger/` `transport/`")
        self.write("dataplane/CMakeLists.txt", "godwit_library(dataplane)")
        self.write("dataplane/transport/t.cc", '#include "dataplane/port/port.h"\n')
        self.plant("dataplane/ledger/l.cc", '#include "dataplane/transport/t.h"\n',
                   "dataplane/ledger/l.cc:1")

    def test_the_client_includes_the_gateway(self):
        self.write("api/client/README.md", "# client")
        self.write("api/client/CMakeLists.txt", "godwit_library(client)")
        self.write("api/client/fine.cc", '#include "api/local/channel.h"\n')
        self.plant("api/client/c.cc", '#include "api/gateway/config.h"\n', "api/client/c.cc:1")

    def test_the_product_includes_a_test(self):
        self.plant("codec/a.cc", '#include "tests/support/hex.h"\n', "codec/a.cc:1")

    def test_an_include_is_not_written_from_the_root(self):
        self.plant("codec/a.cc", '#include "a.h"\n', "codec/a.cc:1")

    # Single files.

    def test_a_file_is_too_long(self):
        self.plant("codec/a.cc", "\n" * 501, "codec/a.cc:501")

    def test_a_header_has_no_headline(self):
        self.plant("codec/a.h", "#pragma once\n", "codec/a.h:1")

    def test_a_header_has_no_guard(self):
        self.plant("codec/a.h", "// What this is for.\n#include <span>\n", "codec/a.h:2")

    def test_a_header_may_come_once_for_each_instruction_set(self):
        self.write("codec/a.h", "// What this is for.\n#if defined(A_H) == defined(HWY_TARGET_TOGGLE)\n#endif\n")
        self.assertEqual(tidy.findings(self.root), [])

    def test_a_header_is_only_a_comment(self):
        self.plant("codec/a.h", "// What this is for.\n", "codec/a.h:1")

    def test_the_operating_system_is_touched_in_the_wrong_place(self):
        for line in ("auto t = std::chrono::steady_clock::now();", "clock_gettime(0, &t);",
                     "seed(time(nullptr));", "std::random_device device;", "int x = rand();",
                     "getrandom(&x, 8, 0);", "std::this_thread::sleep_for(x);", "usleep(3);",
                     'printf("x");', 'std::printf("x");', "std::cout << 1;", 'fmt::print("x");',
                     'std::fprintf(stderr, "x");', "::socket(AF_INET, 0, 0);",
                     "recvmsg(fd, &m, 0);", "auto now = system_now();", "std::mutex mutex_;",
                     "std::thread thread_;", "assert(x);", "#include <cassert>"):
            with self.subTest(line):
                self.plant("codec/a.cc", "\n" + line + "\n", "codec/a.cc:2")

    def test_a_metric_that_nobody_writes(self):
        self.write("monitoring/README.md", "")
        self.write("monitoring/CMakeLists.txt", "library(cells.cc)")
        self.write("monitoring/cells.cc", "counter(Metric::kOne); // Metric::kTwo\n")
        self.plant("monitoring/catalog.h", HEADER + "enum class Metric : int {\n  kOne,\n"
                   "  kTwo,\n};\n", "monitoring/catalog.h:5")

    def test_a_program_of_tests_or_bench_is_free_to(self):
        self.plant("tests/codec/a_test.cc", 'std::printf("x");\n')

    # Words.

    def test_marks_of_unfinished_work(self):
        for word in ("TO" + "DO", "FIX" + "ME", "not " + "implemented", "stu" + "b"):
            with self.subTest(word):
                self.plant("codec/a.cc", f"// {word}: later\n", "codec/a.cc:1")

    def test_the_name_of_an_emulated_network(self):
        name = "ec2-" + "ss"
        self.write("codec/README.md", f"measured on {name}, `raw/`\n")
        self.plant("bench/run.py", f"WAN = '{name}'\n", "bench/run.py:1")
        short = "la" + "n"
        for call in (f'Wan(program, registry, "{short}", 2)', f"Wan(a(b), '{short}')",
                     f"quickstart --wan {short}", f'["--wan", "{short}"]', '["--wan", "rando' + 'm:1"]',
                     f'PRESET = "{short}"', f"wan == '{short}'", f"found['wan'] != '{short}'",
                     f'{{"wan": "{short}"}}', f'name_of_wan in ("{short}", "b")', '"rando' + 'm:5"'):
            with self.subTest(call):
                self.plant("bench/run.py", f"x = {call}\n", "bench/run.py:1")
        self.plant("bench/run.py", f'if row.network == "{short}":\n')  # the kind of a network

    def test_registries_and_paths_of_a_machine(self):
        for text in ("http://deb.debian." + "org/debian", "https://pypi." + "org/simple",
                     "cd /wor" + "k/main", "see /wor" + "k", "/tm" + "p/godwi" + "t/x"):
            with self.subTest(text):
                self.plant("codec/README.md", f"`raw/` {text}\n", "codec/README.md:1")

    def test_a_path_that_only_looks_like_one(self):
        self.plant("codec/README.md", "`raw/` network/work/item ${x}/work/ home/x\n")

    def test_a_test_that_does_not_run(self):
        self.plant("tests/codec/a_test.cc", "  GTEST_" + "SKIP();\n", "tests/codec/a_test.cc:1")

    def test_a_python_test_that_does_not_run(self):
        self.plant("tests/codec/a_test.py", "@unittest." + "skip\n", "tests/codec/a_test.py:1")

    # The tree.

    def test_something_new_at_the_top(self):
        self.plant("tools/x.py", "", "tools:1")

    def test_dot_files_at_the_top_are_fine(self):
        self.plant(".ci/run", "")

    def test_a_folder_without_a_readme(self):
        self.plant("codec/sparse/s.cc", "", "codec/sparse:1")

    def test_a_source_that_is_not_built(self):
        self.plant("tests/codec/c_test.cc", "", "tests/codec/c_test.cc:1")

    def test_a_source_that_is_named_only_in_a_comment(self):
        self.write("tests/codec/c_test.cc", "")
        self.plant("tests/codec/CMakeLists.txt", "# c_test.cc\nadd(a_test.cc b_test.cc)\n",
                   "tests/codec/c_test.cc:1")

    def test_a_folder_without_cmake(self):
        self.write("monitoring/README.md", "")
        self.plant("monitoring/m.cc", "", "monitoring/m.cc:1")

    def test_a_fuzz_target_without_inputs(self):
        (self.root / "tests/fuzz/corpus/raw/one").unlink()
        self.assertEqual(self.found(), ["tests/fuzz/CMakeLists.txt:1"])

    def test_inputs_without_a_fuzz_target(self):
        self.plant("tests/fuzz/corpus/gone/one", "", "tests/fuzz/corpus/gone:1")

    def test_a_link_that_leads_nowhere(self):
        self.plant("README.md", "\n[gone](codec/gone.md)\n", "README.md:2")

    def test_a_link_in_a_fenced_block_is_text(self):
        self.plant("README.md", "```\n[gone](codec/gone.md)\n```\n")

    # Headers alone.

    def test_a_header_that_needs_another_one(self):
        self.write("codec/e.h", HEADER + "inline std::vector<int> none() { return {}; }\n")
        self.write("codec/b.h", HEADER + "#include <vector>\ninline std::vector<int> n;\n")
        self.write("codec/c.h", HEADER + "inline std::vector<int> no() { return {}; }\n")
        self.write("codec/c.cc", '// Proves it.\n#include "codec/c.h"\n')
        self.write("codec/d.h", HEADER + "inline std::vector<int> nothing() { return {}; }\n")
        self.write("codec/d.cc", '#include <vector>\n#include "codec/d.h"\n')
        command = f"/usr/bin/c++ -I{self.root} -std=c++20 -Wall -o x.o -c {self.root}/codec/a.cc"
        self.write(".build/compile_commands.json",
                   json.dumps([{"file": "codec/a.cc", "command": command}]))
        found = headers.check(Tree(self.root), self.root / ".build")
        self.assertEqual([f.path for f in found], ["codec/d.h", "codec/e.h"])


class Comments(unittest.TestCase):
    def test_comments_and_literals_are_blanked(self):
        lines = ["a(); // b", "/* c", "d */ e", "f = \"g // \\\" h\"; i", "1'000 + 'x' + 2"]
        self.assertEqual(list(without_comments(lines)),
                         ["a(); ", "", " e", 'f = ""; i', "1'000 + '' + 2"])


if __name__ == "__main__":
    unittest.main()
