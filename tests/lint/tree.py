"""The files that lint looks at, and what they include."""
import os
import re
import subprocess

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def files(*suffixes):
    """Tracked files with one of the suffixes (all without), sorted, that exist."""
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=True, text=True)
    names = [name for name in listed.stdout.split("\0") if name and os.path.isfile(name)]
    return sorted(n for n in names if not suffixes or n.endswith(suffixes))


def read(path):
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def closure(path, seen=None):
    """path and all headers of the project that it includes, directly or not."""
    seen = set() if seen is None else seen
    if path in seen or not os.path.isfile(path):
        return seen
    seen.add(path)
    for name in INCLUDE.findall(read(path)):
        closure(name, seen)
    return seen
