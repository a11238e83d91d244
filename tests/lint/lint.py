#!/usr/bin/env python3
"""make lint: every check of the tree's form. usage: lint.py [STEP...]; a finding is an error.

LINT_CXXFLAGS holds the build's compiler flags.
"""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import compilers  # noqa: E402
import includes  # noqa: E402
import sizes  # noqa: E402
import tree  # noqa: E402
import words  # noqa: E402


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    lines = (done.stdout + done.stderr).splitlines()
    return lines if done.returncode else []


def self_tests():
    return run("tests/lint/lint_test.py") + run("tests/harness/run_test.py")


def size():
    fatal, remarks = sizes.check()
    for line in remarks:
        print("  remark: " + line)
    return fatal


def man_pages():
    pages = [p for p in tree.files() if p.startswith("man/") and p[-1] in "12345678"]
    return run("mandoc", "-T", "lint", "-W", "warning", *pages) if pages else []


def scripts():
    found = [p for p in tree.files() if tree.read(p).startswith(("#!/bin/bash", "#!/bin/sh"))]
    found += tree.files(".sh")
    return run("shellcheck", "--shell=bash", "--exclude=SC1090,SC1091", *sorted(set(found)))


STEPS = {
    "self-tests": self_tests,
    "includes": includes.check,
    "sizes": size,
    "words": words.check,
    "man": man_pages,
    "scripts": scripts,
    "format": compilers.layout,
    "headers": compilers.headers,
    "tidy": compilers.tidy,
}


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
    unknown = [name for name in sys.argv[1:] if name not in STEPS]
    if unknown:
        sys.exit("lint: no step '%s'; steps are: %s" % (unknown[0], " ".join(STEPS)))
    total = 0
    for name in sys.argv[1:] or STEPS:
        start = time.monotonic()
        found = STEPS[name]()
        for line in found:
            print("  " + line)
        total += bool(found)
        print("lint: %-10s %s (%.1f s)" % (name, "FAILED" if found else "ok",
                                           time.monotonic() - start), flush=True)
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
