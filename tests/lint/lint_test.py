#!/usr/bin/env python3
"""Tests of the checks of this folder: each must catch what it is for."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import includes  # noqa: E402
import sizes  # noqa: E402
import words  # noqa: E402

PAGE = "Text\n```\ncli/     a\nzoned/daemon/  b\nzoned/core/ c\nbase/  d\ntests/ man/  e\n```\n"
LAYERS = includes.folders(PAGE)


class IncludesTest(unittest.TestCase):
    def problems(self, path, *names):
        text = "".join('#include "%s"\n' % name for name in names)
        return includes.problems_in(path, text, LAYERS, lambda name: name != "missing.h"
                                    and name != path.replace(".cc", ".h"))

    def test_the_list_is_read_from_the_page(self):
        self.assertEqual(LAYERS, ["cli/", "zoned/daemon/", "zoned/core/", "base/", "tests/", "man/"])

    def test_down_and_sideways_are_fine(self):
        self.assertEqual(self.problems("cli/a.cc", "zoned/core/x.h", "base/y.h", "cli/z.h"), [])
        self.assertEqual(self.problems("tests/unit/a.cc", "cli/x.h", "tests/harness/y.h"), [])

    def test_up_is_caught(self):
        for path, name in (("base/a.cc", "zoned/core/x.h"), ("zoned/core/a.h", "zoned/daemon/x.h"),
                           ("zoned/daemon/a.cc", "cli/x.h"), ("cli/a.cc", "tests/harness/x.h")):
            self.assertEqual(len(self.problems(path, name)), 1, (path, name))

    def test_a_path_that_is_not_from_the_top_is_caught(self):
        self.assertEqual(len(self.problems("cli/a.cc", "missing.h")), 1)

    def test_the_own_header_comes_first(self):
        def found(text):
            return includes.problems_in("cli/a.cc", text, LAYERS, lambda name: True)
        self.assertEqual(found('#include "cli/a.h"\n#include <x>\n'), [])
        self.assertEqual(len(found('#include <x>\n#include "cli/a.h"\n')), 1)


class OtherChecksTest(unittest.TestCase):
    def test_a_long_function_is_seen_and_a_class_is_not(self):
        body = "  x();\n" * 71
        self.assertEqual(len(sizes.long_functions("a.cc", "void f() {\n" + body + "}\n")), 1)
        self.assertEqual(sizes.long_functions("a.cc", "class A {\n" + body + "};\n"), [])

    def test_forbidden_words_are_caught(self):
        for line in ("// TO" "DO: later", "see ../sha" "red/x", "https://deb.deb" "ian.org/"):
            self.assertEqual(len(words.problems_in("a", line)), 1, line)
        self.assertEqual(words.problems_in("a", '"/tmp/name.XXXXXX"'), [])


if __name__ == "__main__":
    unittest.main()
