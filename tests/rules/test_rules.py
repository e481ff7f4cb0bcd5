# SPDX-License-Identifier: Apache-2.0
"""Each rule fires on a small bad tree and stays silent on its mended twin."""

import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import check_rules  # noqa: E402
from source import functions, only_code  # noqa: E402

CPP_LICENCE = "// SPDX-License-Identifier: Apache-2.0\n"
HASH_LICENCE = "# SPDX-License-Identifier: Apache-2.0\n"


def findings(files):
    """(path, line, rule) of a tree with these files; documents are added unless given."""
    files = {"README.md": "", "ARCHITECTURE.md": "", **files}
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return [(found.path, found.line, found.rule) for found in check_rules.findings(folder)]


class RuleTest(unittest.TestCase):
    """Shared assertions."""

    def assert_only(self, files, *expected):
        """Exactly these findings."""
        self.assertEqual(findings(files), list(expected))

    def cpp(self, path, text, *expected):
        """Findings of one C++ file, lines counted after the licence."""
        wanted = [(path, line + 1, rule) for line, rule in expected]
        self.assert_only({path: CPP_LICENCE + text}, *wanted)


class BatchTest(RuleTest):
    """Names in unnamed namespaces."""

    def two(self, first, second, *expected):
        """Findings of two files of one module, by line of the second."""
        files = {f"src/model/{name}.cc": f"{CPP_LICENCE}namespace {{\n{text}\n}}  // namespace\n"
                 for name, text in (("a", first), ("b", second))}
        self.assert_only(files, *(("src/model/b.cc", line, "batch") for line in expected))

    def test_constants_and_types_are_unique(self):
        self.two("constexpr int kOne = 1;", "constexpr int kOne = 2;", 3)
        self.two("constexpr int kOne = 1;", "constexpr int kTwo = 2;")
        self.two("struct Row {\n};", "class Row {\n};", 3)
        self.two("using Row = int;", "using Row = int;")
        self.two("using Row = int;", "using Row = float;", 3)

    def test_enumerators_hide_constants_only(self):
        self.two("constexpr int kOne = 1;", "enum class N { kTwo, kOne };", 3)
        self.two("enum class M { kOne };", "enum class N { kOne };")

    def test_functions_may_differ_in_their_types(self):
        self.two("int f(int a) {\n}", "int f(int b) {\n}", 3)
        self.two("int f(int a) {\n}", "int f(float a) {\n}")
        self.two("int f(int a) {\n}", "int Row::f(int a) {\n}")

    def test_tests_and_modules_are_apart(self):
        text = f"{CPP_LICENCE}namespace {{\nconstexpr int kOne = 1;\n}}  // namespace\n"
        self.assert_only({"src/model/a.cc": text, "src/model/a_test.cc": text,
                          "src/core/a.cc": text})


class LayerTest(RuleTest):
    """Ranks and doors."""

    def test_includes_go_downward(self):
        self.cpp("src/engine/a.cc", '#include "model/b.h"\n#include "core/c.h"\n')
        self.cpp("src/engine/a.cc", '#include "engine/b.h"\n')
        self.cpp("src/model/a.cc", '\n#include "engine/b.h"\n', (2, "rank"))

    def test_neighbours_do_not_know_each_other(self):
        self.cpp("src/input/a.cc", '#include "model/b.h"\n', (1, "rank"))
        self.cpp("src/report/a.cc", '#include "targets/b.h"\n', (1, "rank"))
        self.cpp("src/cli/a.cc", '#include "serve/b.h"\n', (1, "rank"))

    def test_every_module_has_a_rank(self):
        self.cpp("src/newcomer/a.cc", '#include "core/b.h"\n', (1, "rank"))

    def test_public_headers_stay_public(self):
        self.cpp("include/wattwise/a.h", '#include <vector>\n#include "wattwise/b.h"\n')
        self.cpp("include/wattwise/a.h", '#include "core/b.h"\n', (1, "public"))
        self.cpp("include/wattwise/a.h", "#include <fmt/format.h>\n", (1, "public"))
        self.cpp("include/wattwise/a.h", "#include <unistd.h>\n", (1, "public"))

    def test_libraries_stay_behind_their_doors(self):
        for header, home in (("<onnxruntime_c_api.h>", "engine"), ("<duckdb.h>", "store"),
                             ("<protozero/pbf_reader.hpp>", "model"), ("<sndfile.h>", "input")):
            self.cpp(f"src/{home}/a.cc", f"#include {header}\n")
            self.cpp("src/deploy/a.cc", f"#include {header}\n", (1, "door"))
        self.cpp("src/deploy/a.cc", "#include <pybind11/pybind11.h>\n", (1, "door"))
        self.cpp("python/a.cc", "#include <nanobind/nanobind.h>\n")

    def test_only_the_program_prints_and_exits(self):
        for code in ("std::cout << 1;", 'printf("x");', "fmt::print(out);", "exit(1);",
                     "std::abort();"):
            self.cpp("src/core/a.cc", f"void f() {{ {code} }}\n", (1, "door"))
            self.cpp("src/cli/a.cc", f"void f() {{ {code} }}\n")
        self.cpp("src/core/a.cc", "void f() { snprintf(b, n); runner.exit(1); }\n")

    def test_files_clocks_and_variables_come_from_the_environment(self):
        for code in ('fopen("a", "r");', "std::ifstream in;", "::open(path, 0);",
                     "std::filesystem::exists(p);", "std::chrono::steady_clock::now();",
                     "std::this_thread::sleep_for(x);", "time(nullptr);", 'getenv("HOME");'):
            self.cpp("src/model/a.cc", f"void f() {{ {code} }}\n", (1, "door"))
            self.cpp("src/core/system_env.cc", f"void f() {{ {code} }}\n")
        self.cpp("src/model/a.cc", "void f() { a.open(x); Store::open(x); process_time(0); }\n")
        self.cpp("src/model/a.cc", "#include <fstream>\n", (1, "door"))

    def test_words_in_comments_and_texts_are_no_uses(self):
        self.cpp("src/model/a.cc", 'const char* a = "printf(x)";  // std::cout\n/* getenv(x) */\n')

    def test_tests_may_open_files_but_not_other_modules_libraries(self):
        self.cpp("src/model/a_test.cc", "void f() { std::ifstream in; }\n")
        self.cpp("src/model/a_test.cc", "#include <duckdb.h>\n", (1, "door"))


class SizeTest(RuleTest):
    """Files, functions, lines, parameters, folders."""

    def test_files(self):
        self.cpp("src/core/a.cc", "\n" * 399)
        self.cpp("src/core/a.cc", "\n" * 400, (400, "file"))
        self.cpp("src/core/a.h", "\n" * 250, (250, "file"))
        self.cpp("src/core/a_test.cc", "\n" * 599)
        self.assert_only({"ARCHITECTURE.md": "\n" * 201}, ("ARCHITECTURE.md", 201, "file"))

    def test_lines(self):
        self.cpp("src/core/a.cc", "/" * 100 + "\n")
        self.cpp("src/core/a.cc", "/" * 101 + "\n", (1, "line"))

    def test_functions(self):
        def body(lines):
            return "int a::f(int x)\n    const {\n" + "  x;\n" * (lines - 3) + "}\n"
        self.cpp("src/core/a.cc", "namespace a {\n" + body(50) + "}\n")
        self.cpp("src/core/a.cc", "namespace a {\n" + body(51) + "}\n", (2, "function"))
        python = HASH_LICENCE + "def f():\n" + "    pass\n" * 50 + "\n\nx = 1\n"
        self.assert_only({"tests/a.py": python}, ("tests/a.py", 2, "function"))

    def test_parameters(self):
        self.cpp("src/core/a.h", "int f(int a, std::map<int, int> b, int c, int d = g(1, 2));\n")
        self.cpp("src/core/a.h", "int f(int a, int b, int c, int d, int e);\n", (1, "parameters"))
        self.cpp("src/core/a.h", "struct A {\n  A(int a, int b,\n    int c, int d, int e);\n};\n",
                 (2, "parameters"))

    def test_folders(self):
        self.cpp("src/core/b/a.cc", "")
        self.cpp("src/core/b/c/a.cc", "", (0, "depth"))
        folders = {f"folder{letter}/a.txt": "" for letter in "abcdefghij"}
        self.assert_only(folders)
        self.assert_only({**folders, "folderk/a.txt": ""}, ("folderk", 1, "folders"))


class ReadingTest(unittest.TestCase):
    """What counts as a function."""

    def test_literals_do_not_hide_braces(self):
        code = only_code('a = "}"; b = \'{\'; c = 1\'000; d = R"x(")})x"; // }\n'
                         "#define E {\\\n  }\nf\n")
        self.assertNotRegex(code, "[{}]")
        self.assertIn("1'000", code)
        self.assertEqual(code.count("\n"), 4)

    def test_names_and_extents(self):
        text = ("namespace a {\nstruct B {\n  B() : x_{1} {\n    y();\n  }\n  int x_;\n};\n"
                "template <typename T = int>\nT c(T v) {\n"
                "  return [&](int q) { return q; }(v);\n}\n"
                "constexpr int kRows[] = {f(1, 2, 3, 4, 5)};\n}\n")
        found = [(f.name, f.first_line, f.last_line) for f in functions(text)]
        self.assertEqual(found, [("B", 3, 5), ("c", 8, 11)])


class TableTest(RuleTest):
    """Rows and ids."""

    def test_files_have_rows(self):
        places = (("src/optimize/passes", "src/optimize/pass_table.cc"),
                  ("src/quantize/methods", "src/quantize/methods/table.cc"),
                  ("src/cli/commands", "src/cli/command_table.cc"))
        for folder, table in places:
            new = f"{folder}/new_thing.cc"
            row = 'constexpr Row kRow = {"new_thing"};\n'
            self.assert_only({new: CPP_LICENCE, table: CPP_LICENCE + row})
            self.assert_only({new: CPP_LICENCE, table: CPP_LICENCE + "// " + row}, (new, 1, "row"))
            self.assert_only({new: CPP_LICENCE}, (new, 1, "row"))

    def test_report_formats_have_rows(self):
        source = CPP_LICENCE + "std::string render_yaml(const Data& data) { return {}; }\n"
        self.assert_only({"src/report/yaml.cc": source}, ("src/report/yaml.cc", 1, "row"))
        self.assert_only({"src/report/other.cc": source})

    def test_data_files_have_their_name_as_id(self):
        self.assert_only({"data/profiles/a.json": '{"id": "A"}',
                          "data/targets/b/target.json": '{"id": "B"}'})
        for path in ("data/profiles/a.json", "data/devices/a.json"):
            for text in ("{", "[]", "{}", '{"id": "b"}'):
                self.assert_only({path: text}, (path, 1, "data"))
        self.assert_only({"data/targets/b/notes.txt": ""}, ("data/targets/b", 1, "data"))


class DocumentTest(RuleTest):
    """What the documents name."""

    def test_paths_exist(self):
        source = {"src/core/a.cc": CPP_LICENCE}
        good = "`src/core/a.cc` `core/a.cc` `src/core/` `src/<module>/a.cc` `std::map` `and/or`"
        self.assert_only({**source, "ARCHITECTURE.md": good})
        for bad in ("src/core/b.cc", "core/b.cc", "src/none/", "b.json", "src/<module>/b.cc"):
            self.assert_only({**source, "ARCHITECTURE.md": f"\nSee `{bad}`."},
                             ("ARCHITECTURE.md", 2, "document"))

    def test_types_and_functions_exist(self):
        source = {"src/core/a.h": CPP_LICENCE + "struct Thing {};\nint make_thing();\n"}
        self.assert_only({**source, "ARCHITECTURE.md": "`Thing` `make_thing()`"})
        self.assert_only({**source, "ARCHITECTURE.md": "`Things`\n`make_things()`"},
                         ("ARCHITECTURE.md", 1, "document"), ("ARCHITECTURE.md", 2, "document"))

    def test_root_files_are_explained(self):
        self.assert_only({"setup.lock": ""}, ("setup.lock", 1, "document"))
        self.assert_only({"setup.lock": "", "README.md": "see setup.lock", ".gitignore": ""})

    def test_there_is_an_architecture(self):
        with tempfile.TemporaryDirectory() as folder:
            found = [str(finding) for finding in check_rules.findings(folder)]
        self.assertEqual(found, ["ARCHITECTURE.md:1: document: is missing"])


class WordTest(RuleTest):
    """What no file may say."""

    def test_nothing_is_unfinished(self):
        for word in ("TODO", "FIXME", "a stub", "stubbed"):
            self.cpp("src/core/a.cc", f"// {word} here\n", (1, "unfinished"))
        self.cpp("src/core/a.cc", "// stubborn, mastodon\n")

    def test_no_paths_of_one_machine(self):
        for top in ("root", "home/me", "work"):
            self.assert_only({"docs/a.md": f"see /{top}/x"}, ("docs/a.md", 1, "machine"))
        for other in ("~/{}/x", "$HOME/{}/x", "rest/{}/x"):
            self.assert_only({"docs/a.md": "see " + other.format("work")})
            self.assert_only({"docs/a.md": "see " + other.format("home")})

    def test_no_hosts_in_scripts(self):
        script = "#!/bin/sh\ncurl https://example.org/x\n"
        self.assert_only({"tests/fetch": script}, ("tests/fetch", 2, "host"))
        local = script.replace("https://example.org", "http://localhost:80")
        self.assert_only({"tests/fetch": local})
        self.assert_only({"docs/a.md": "https://example.org"})

    def test_sources_say_their_licence(self):
        self.assert_only({"src/core/a.cc": "int a;\n"}, ("src/core/a.cc", 1, "licence"))
        self.assert_only({"cmake/a.cmake": "set(a 1)\n"}, ("cmake/a.cmake", 1, "licence"))

    def test_names_say_something(self):
        self.cpp("src/core/string_utils.cc", "", (0, "name"))


class ProgramTest(unittest.TestCase):
    """The script itself."""

    def test_exit_status(self):
        printed = io.StringIO()
        silence = contextlib.redirect_stderr(io.StringIO())
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(printed), silence:
            self.assertEqual(check_rules.main([folder]), 1)
            pathlib.Path(folder, "ARCHITECTURE.md").touch()
            self.assertEqual(check_rules.main([folder]), 0)
        self.assertEqual(printed.getvalue(), "ARCHITECTURE.md:1: document: is missing\n")


if __name__ == "__main__":
    unittest.main()
