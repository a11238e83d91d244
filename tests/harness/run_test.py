#!/usr/bin/env python3
"""Tests of the runner with stand-ins for Catch2 programs: what it must count, and what it must catch."""
import os
import stat
import subprocess
import tempfile
import unittest

RUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run.py")
GOOD = '<TestCase name="good"><OverallResult success="true"/></TestCase>'
BAD = ('<TestCase name="a, b"><Expression success="false" type="CHECK" filename="x.cc" line="3">'
       '<Original>a == b</Original><Expanded>1 == 2</Expanded></Expression>'
       '<OverallResult success="false"/></TestCase>')
EMPTY = '<TestCase name="empty"><OverallResult success="false"/></TestCase>'
SKIPPED = ('<TestCase name="later"><Warning>SKIPPED: needs a tape</Warning>'
           '<OverallResult success="true"/></TestCase>')


class RunnerTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.skips = self.write("skips.txt", "")

    def tearDown(self):
        self.folder.cleanup()

    def write(self, name, text):
        path = os.path.join(self.folder.name, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def program(self, name, xml, end="", status=0):
        path = self.write(name, "#!/bin/bash\n# -r xml -o FILE ...\ncat >\"$4\" <<'E'\n%s\nE\n%s\nexit %d\n"
                          % (xml, end, status))
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
        return path

    def run_it(self, *programs, timeout="20"):
        done = subprocess.run([RUN, "--skips", self.skips, "--timeout", timeout] + list(programs),
                              capture_output=True, text=True)
        return done.returncode, done.stdout.splitlines()[-1] if done.stdout else "", done.stdout

    def report(self, *cases):
        return "<Catch><Group>" + "".join(cases) + "</Group></Catch>"

    def test_counts_cases_and_ends_with_the_totals(self):
        one = self.program("unit/one", self.report(GOOD, GOOD))
        two = self.program("unit/two", self.report(GOOD))
        self.assertEqual(self.run_it(one, two)[:2], (0, "3 passed, 0 failed, 0 skipped"))

    def test_a_failed_case_is_shown_with_how_to_run_it_again(self):
        status, last, out = self.run_it(self.program("unit/a", self.report(GOOD, BAD), status=1))
        self.assertEqual((status, last), (1, "1 passed, 1 failed, 0 skipped"))
        self.assertIn("x.cc:3: CHECK( a == b )", out)
        self.assertIn("with: 1 == 2", out)
        self.assertIn("unit/a 'a\\, b'", out)

    def test_chosen_tests_go_to_the_program_and_must_exist(self):
        path = self.program("unit/a", self.report(GOOD, BAD.replace("false", "true")),
                            end='echo "${*:9}" >"$0.asked"')
        self.assertEqual(self.run_it(path + "::go*", path + "::a, b")[:2],
                         (0, "2 passed, 0 failed, 0 skipped"))
        with open(path + ".asked") as asked:
            self.assertEqual(asked.read(), "go*,a\\, b\n")
        status, last, out = self.run_it(path + "::good", path + "::gone*")
        self.assertEqual((status, last), (1, "2 passed, 1 failed, 0 skipped"))
        self.assertIn("unit/a: gone*", out)

    def test_a_case_without_assertions_fails(self):
        self.assertEqual(self.run_it(self.program("unit/a", self.report(EMPTY), status=1))[1],
                         "0 passed, 1 failed, 0 skipped")

    def test_a_skip_counts_only_where_the_list_allows_it(self):
        program = self.program("unit/a", self.report(SKIPPED, GOOD))
        self.assertEqual(self.run_it(program)[:2], (1, "1 passed, 1 failed, 0 skipped"))
        for line in ("unit/a/lat*: needs a tape [lab]", "unit/b/lat*: needs a tape [always]",
                     "unit/a/lat*: another reason [always]", "unit/a/lat*: needs a tape [kernel<3.0]"):
            self.write("skips.txt", line)
            self.assertEqual(self.run_it(program)[0], 1, line)
        self.write("skips.txt", "unit/a/lat*: needs a tape [always]  # because")
        self.assertEqual(self.run_it(program)[:2], (0, "1 passed, 0 failed, 1 skipped"))

    def test_an_unreadable_skip_list_is_refused(self):
        program = self.program("unit/a", self.report(GOOD))
        for line in ("unit/a/x", "unit/a/x: reason", "unit/a/x: reason [mood]"):
            self.write("skips.txt", line)
            self.assertNotEqual(self.run_it(program)[0], 0, line)

    def test_a_crash_fails_the_case_that_was_running(self):
        program = self.program("unit/a", "<Catch><Group>" + GOOD + '<TestCase name="boom">',
                               "kill -SEGV $$")
        status, last, out = self.run_it(program)
        self.assertEqual((status, last), (1, "1 passed, 1 failed, 0 skipped"))
        self.assertIn("boom", out)
        self.assertIn("SIGSEGV", out)

    def test_a_bad_exit_status_fails_though_each_case_passed(self):
        self.assertEqual(self.run_it(self.program("unit/a", self.report(GOOD), status=23))[:2],
                         (1, "1 passed, 1 failed, 0 skipped"))

    def test_a_program_without_cases_and_a_missing_program_fail(self):
        empty = self.program("unit/a", self.report())
        self.assertEqual(self.run_it(empty, "/nowhere/unit/b")[1], "0 passed, 2 failed, 0 skipped")

    def test_a_program_that_hangs_is_ended(self):
        program = self.program("unit/a", "<Catch><Group>", "sleep 60")
        status, last, out = self.run_it(program, timeout="1")
        self.assertEqual((status, last), (1, "0 passed, 1 failed, 0 skipped"))
        self.assertIn("timed out", out)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_what_a_root_program_leaves_behind_fails(self):
        clean = self.program("root/clean", self.report(GOOD))
        self.assertEqual(self.run_it(clean)[1], "2 passed, 0 failed, 0 skipped")
        left = tempfile.mkdtemp(prefix="zoned-", dir="/tmp")
        os.rmdir(left)
        try:
            dirty = self.program("root/dirty", self.report(GOOD),
                                 "mkdir %s; setsid sleep 300 >/dev/null 2>&1 &" % left)
            status, last, out = self.run_it(dirty)
        finally:
            os.rmdir(left)
        self.assertEqual((status, last), (1, "1 passed, 1 failed, 0 skipped"))
        self.assertIn("file " + left, out)
        self.assertIn("sleep 300", out)


if __name__ == "__main__":
    unittest.main()
