#!/usr/bin/env python3
"""Runs Catch2 programs and counts their test cases; the engine of `make check`, `make test`, `make lab`.

usage: run.py [--skips FILE] [--timeout SECONDS] PROGRAM[::TEST]...

A TEST, which may start or end with `*`, is one of the program's, instead of all; give each of several
with the program again, one after the other. A PROGRAM is named after its last two path parts (root/cgroup). Programs of a folder `root` need root
and are checked for leaks: what exists on the host after them and did not before is a failed test.
A skip fails unless a line of the skips file allows it here. The last line is
`N passed, N failed, N skipped`.
"""
import argparse
import ctypes
import fnmatch
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import leaks  # noqa: E402
import skips  # noqa: E402

PR_SET_CHILD_SUBREAPER = 36
SKIP_MARK = "SKIPPED: "
LEAK_TEST = "leaves nothing behind"


def name_of(program):
    return "/".join(os.path.abspath(program).split("/")[-2:])


def catch_spec(test):
    """The test's name as a Catch2 test spec: a comma or bracket would start another pattern."""
    for char in "\\,[":
        test = test.replace(char, "\\" + char)
    return test


def catch_pattern(test):
    return "'" + catch_spec(test).replace("'", "'\\''") + "'"


def glob_of(test):
    """The same as a pattern of fnmatch(7), in which only the stars at both ends are special."""
    inner = test.strip("*").replace("[", "[[]").replace("?", "[?]").replace("*", "[*]")
    return "*" * test.startswith("*") + inner + "*" * test.endswith("*")


def grouped(words):
    """[(program, [test, ...])], of PROGRAM[::TEST] words; no tests mean all."""
    groups = []
    for word in words:
        program, chosen, test = word.partition("::")
        if not (chosen and groups and groups[-1][0] == program and groups[-1][1]):
            groups.append((program, []))
        if chosen:
            groups[-1][1].append(test)
    return groups


def failures_in(case):
    """Readable lines for what went wrong in one <TestCase> element."""
    lines = []
    for node in case.iter():
        where = "%s:%s: " % (node.get("filename"), node.get("line")) if node.get("line") else ""
        text = (node.text or "").strip()
        if node.tag == "Expression" and node.get("success") == "false":
            original = (node.findtext("Original") or "").strip()
            expanded = (node.findtext("Expanded") or "").strip()
            lines.append("%s%s( %s )" % (where, node.get("type"), original))
            if expanded != original:
                lines.append("  with: " + expanded)
        elif node.tag in ("Failure", "Exception", "FatalErrorCondition"):
            lines.append("%s%s: %s" % (where, node.tag, text))
        elif node.tag in ("Info", "Warning"):
            lines.append("  %s: %s" % (node.tag.lower(), text))
    return lines


def read_report(path):
    """([(test, success, skip reason or None, details)], name of the test that never ended or None)."""
    cases, stack = [], []
    parser = ET.XMLPullParser(("start", "end"))
    try:
        with open(path, "rb") as report:
            parser.feed(report.read())
        events = list(parser.read_events())
    except (OSError, ET.ParseError):
        events = list(parser.read_events())
    for event, node in events:
        if node.tag != "TestCase":
            continue
        if event == "start":
            stack.append(node.get("name"))
            continue
        test = stack.pop()
        result = node.find("OverallResult")
        success = result is not None and result.get("success") == "true"
        marks = [(w.text or "").strip() for w in node.iter("Warning")]
        skip = next((m[len(SKIP_MARK):] for m in marks if m.startswith(SKIP_MARK)), None)
        if not success and not any(n.get("success") == "false" or n.tag in
                                   ("Failure", "Exception", "FatalErrorCondition")
                                   for n in node.iter() if n is not result):
            cases.append((test, False, skip, ["it checks nothing (no assertion was reached)"]))
        else:
            cases.append((test, success, skip, failures_in(node)))
    return cases, stack[-1] if stack else None


class Runner:
    def __init__(self, allowed, timeout):
        self.allowed = allowed
        self.timeout = timeout
        self.passed = self.failed = self.skipped = 0

    def execute(self, program, tests, log_path, report_path):
        """Exit status of the program (negative: signal), or None after the time-out."""
        with open(log_path, "wb") as log:
            child = subprocess.Popen(
                [program, "-r", "xml", "-o", report_path, "-d", "yes", "-w", "NoAssertions"] +
                ([",".join(map(catch_spec, tests))] if tests else []),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + self.timeout
        while True:
            # Orphans of the program become ours (we are a subreaper): reap them as they end.
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == child.pid:
                child.returncode = os.waitstatus_to_exitcode(status)
                return child.returncode
            if pid:
                continue
            if time.monotonic() > deadline:
                os.killpg(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)
                child.returncode = -signal.SIGKILL
                return None
            time.sleep(0.005)

    def fail(self, program, test, details, rerun):
        self.failed += 1
        print("  FAILED %s: %s" % (name_of(program), test))
        for line in details:
            print("    " + line.replace("\n", "\n    "))
        if rerun:
            print("    rerun: %s %s" % (os.path.relpath(program), catch_pattern(test)))

    def skip(self, program, test, reason):
        name = name_of(program)
        if self.allowed.allows(name, test, reason):
            self.skipped += 1
            print("  skipped %s: %s: %s" % (name, test, reason))
        else:
            self.fail(program, test, ["skipped (%s), which %s does not allow here"
                                      % (reason, self.allowed.path)], True)

    def run(self, program, tests=()):
        name = name_of(program)
        is_root_test = name.startswith("root/")
        if not os.access(program, os.X_OK):
            self.fail(program, "*", ["no such program: " + program], False)
            return
        if is_root_test and os.geteuid() != 0:
            self.skip(program, "*", "needs root")
            return
        base = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(program))), "test-logs")
        os.makedirs(base, exist_ok=True)
        base = os.path.join(base, name.replace("/", "-"))
        log_path, report_path = base + ".log", base + ".xml"
        if os.path.exists(report_path):
            os.unlink(report_path)

        before = leaks.snapshot() if is_root_test else None
        start = time.monotonic()
        status = self.execute(program, tests, log_path, report_path)
        seconds = time.monotonic() - start
        cases, unfinished = read_report(report_path)
        counts = (self.passed, self.failed, self.skipped)
        for test, success, reason, details in cases:
            if not success:
                self.fail(program, test, details, True)
            elif reason is not None:
                self.skip(program, test, reason)
            else:
                self.passed += 1
        self.check_end(program, status, cases, unfinished, log_path)
        for test in tests:
            if not any(fnmatch.fnmatchcase(case[0], glob_of(test)) for case in cases):
                self.fail(program, test, ["there is no such test, or it did not run"], False)
        if is_root_test:
            left = leaks.left_over(before)
            if left:
                self.fail(program, LEAK_TEST, left, False)
            else:
                self.passed += 1
        now = (self.passed, self.failed, self.skipped)
        print("%-24s %d passed, %d failed, %d skipped, %.1f s"
              % ((name,) + tuple(b - a for a, b in zip(counts, now)) + (seconds,)), flush=True)

    def check_end(self, program, status, cases, unfinished, log_path):
        """A program that ended oddly is a failure even where every case that it reported is fine."""
        if status is None:
            how = "timed out after %d s" % self.timeout
        elif status < 0:
            how = "killed by " + signal.Signals(-status).name
        else:
            how = "exit status %d" % status
        if unfinished is not None or status is None or status < 0:
            self.fail(program, unfinished or "*", [how] + tail(log_path), unfinished is not None)
        elif not cases:
            self.fail(program, "*", ["ran no test, " + how] + tail(log_path), False)
        elif status != 0 and all(success for _, success, _, _ in cases):
            self.fail(program, "*", [how + " though each test passed"] + tail(log_path), False)


def tail(path, lines=20):
    with open(path, "rb") as log:
        text = log.read()[-8192:].decode("utf-8", "replace").splitlines()[-lines:]
    return ["log: " + path] + ["| " + line for line in text]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--skips", default=os.path.join(os.path.dirname(__file__), "../skips.txt"))
    parser.add_argument("--timeout", type=float, default=300, help="seconds for each program")
    parser.add_argument("programs", nargs="+", metavar="PROGRAM[::TEST]")
    args = parser.parse_args()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    runner = Runner(skips.Allowed(args.skips), args.timeout)
    for program, tests in grouped(args.programs):
        runner.run(program, tests)
    print("%d passed, %d failed, %d skipped" % (runner.passed, runner.failed, runner.skipped))
    return 1 if runner.failed or not runner.passed else 0


if __name__ == "__main__":
    sys.exit(main())
