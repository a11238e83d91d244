"""Files of at most 500 lines (fatal outside of tests), functions of about a screen (reported)."""
import re

import tree

MAX_FILE = 500
MAX_FUNCTION = 70
NOT_A_FUNCTION = re.compile(r"^(namespace|struct|class|enum|union|extern|constexpr|const|static const)\b")


def long_functions(path, text):
    """Bodies from a line at column 0 that ends in `{` to the `}` at column 0."""
    found, start = [], None
    for number, line in enumerate(text.splitlines(), 1):
        if line.endswith("{") and not line.startswith((" ", "}", "#", "/")):
            start = None if NOT_A_FUNCTION.match(line) else number
        elif line.startswith("}") and start is not None:
            if number - start > MAX_FUNCTION:
                found.append("%s:%d: a function of %d lines" % (path, start, number - start))
            start = None
    return found


def check():
    """(fatal lines, remarks)."""
    fatal, remarks = [], []
    for path in tree.files(".cc", ".h"):
        text = tree.read(path)
        lines = text.count("\n")
        if lines > MAX_FILE:
            kind = remarks if path.startswith("tests/") else fatal
            kind.append("%s: %d lines, more than %d" % (path, lines, MAX_FILE))
        remarks += long_functions(path, text)
    return fatal, remarks
