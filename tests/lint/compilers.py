"""Checks by compilers: each header alone, clang-format, clang-tidy. Two at a time; results are kept."""
import concurrent.futures
import hashlib
import os
import shlex
import subprocess

import tree

CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "zoned-lint")
FLAGS = shlex.split(os.environ.get("LINT_CXXFLAGS", "-std=c++20 -I. -D_GNU_SOURCE"))


def _keep(flag):
    return flag.startswith(("-std", "-I", "-isystem", "-D", "-U")) and not flag.startswith("-D_FORTIFY_SOURCE")


# clang-tidy reads what any compiler reads; g++'s own warnings and hardening mean nothing to it.
TIDY_FLAGS = [flag for flag in FLAGS if _keep(flag)]
# Whole-function analysis takes three times as long as all the rest.
TIDY_FLAGS += ["-Xclang", "-analyzer-config", "-Xclang", "mode=shallow"]


def _all(function, items):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [line for lines in pool.map(function, items) for line in lines]


def _cached(kind, path, command):
    """Runs command for path unless it passed with the same input. Returns its output's lines."""
    digest = hashlib.sha256(repr((kind, path, command)).encode())
    for name in sorted(tree.closure(path)) + [".clang-tidy"]:
        digest.update(tree.read(name).encode("utf-8", "surrogateescape"))
    mark = os.path.join(CACHE, digest.hexdigest())
    if os.path.exists(mark):
        return []
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        os.makedirs(CACHE, exist_ok=True)
        with open(mark, "w"):
            pass
        return []
    return [line for line in (done.stdout + done.stderr).splitlines()
            if line and "warnings generated" not in line and "Suppressed" not in line
            and not line.startswith("Use -header-filter")]


def headers():
    # Nobody reads lists of dependencies here, and from stdin they would land beside the sources.
    flags = [flag for flag in FLAGS if not flag.startswith("-M")]
    flags += ["-fsyntax-only", "-Wno-unused", "-x", "c++"]
    # Through standard input, else "#pragma once in main file" is an error.
    script = 'header=$1; shift; echo "#include \\"$header\\"" | g++ "$@" -'
    return _all(lambda path: _cached("header", path, ["bash", "-c", script, "-", path] + flags),
                tree.files(".h"))


def layout():
    sources = tree.files(".cc", ".h")
    done = subprocess.run(["clang-format-14", "--dry-run", "-Werror"] + sources,
                          capture_output=True, text=True)
    if done.returncode == 0:
        return []
    wrong = sorted({line.split(":")[0] for line in done.stderr.splitlines() if ": error:" in line})
    return ["%s: clang-format would change it (make format)" % path for path in wrong]


def tidy():
    def one(path):
        command = ["clang-tidy-14", "--quiet"]
        if path.startswith("tests/"):
            command.append("--checks=-clang-analyzer-*")
        return _cached("tidy", path, command + [path, "--"] + TIDY_FLAGS)
    return _all(one, tree.files(".cc"))
