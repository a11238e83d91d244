"""The checked-in list of skips that are allowed, each where its condition holds.

One line each, `#` starts a comment:

    PROGRAM/TEST: REASON [CONDITION]

PROGRAM/TEST and REASON are patterns of fnmatch(7). CONDITION is one of `always`, `not-root`, `lab`
(inside the lab VM), `cgroup-v1`, `cgroup-v2` (where the controllers are), `kernel<6.9`,
`kernel>=6.9`, `lacks-cap-N` (bit N of the effective set).
"""
import fnmatch
import os
import re

LINE = re.compile(r"^(?P<test>.+?): (?P<reason>.+) \[(?P<condition>[^\]]+)\]$")


def _capabilities():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1], 16) for line in status if line.startswith("CapEff:"))


def _controllers():
    try:
        with open("/sys/fs/cgroup/cgroup.controllers") as file:
            return file.read().split()
    except OSError:
        return []


def _kernel():
    return tuple(int(n) for n in re.match(r"(\d+)\.(\d+)", os.uname().release).groups())


def holds(condition):
    """True where the condition is true of this host; ValueError when there is no such condition."""
    kernel = re.fullmatch(r"kernel(<|>=)(\d+)\.(\d+)", condition)
    capability = re.fullmatch(r"lacks-cap-(\d+)", condition)
    if kernel:
        older = _kernel() < (int(kernel[2]), int(kernel[3]))
        return older == (kernel[1] == "<")
    if capability:
        return not _capabilities() >> int(capability[1]) & 1
    plain = {
        "always": lambda: True,
        "not-root": lambda: os.geteuid() != 0,
        "lab": lambda: os.path.exists("/lab-init"),
        "cgroup-v1": lambda: "cpu" not in _controllers(),
        "cgroup-v2": lambda: "cpu" in _controllers(),
    }
    if condition not in plain:
        raise ValueError("unknown condition '%s'" % condition)
    return plain[condition]()


class Allowed:
    def __init__(self, path):
        """Reads the list; ValueError naming the line that is not one."""
        self.path = os.path.relpath(path)
        self.rules = []
        with open(path) as file:
            for number, text in enumerate(file, 1):
                text = text.split("#", 1)[0].strip()
                if not text:
                    continue
                match = LINE.match(text)
                if not match:
                    raise ValueError("%s:%d: not 'PROGRAM/TEST: REASON [CONDITION]'" % (path, number))
                self.rules.append((match["test"], match["reason"], holds(match["condition"])))

    def allows(self, program, test, reason):
        name = program + "/" + test
        return any(true_here and fnmatch.fnmatchcase(name, test_pattern)
                   and fnmatch.fnmatchcase(reason, reason_pattern)
                   for test_pattern, reason_pattern, true_here in self.rules)
