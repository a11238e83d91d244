"""Includes name full paths and point only down the folder list of docs/architecture.md."""
import os
import re

import tree


def folders(text):
    """The layers from the top down, from the page's first block of code."""
    block = text.split("```")[1]
    found = re.findall(r"^([a-z/]+/)(?: ([a-z]+/))?\s", block, re.MULTILINE)
    return [name for names in found for name in names if name]


def layer(path, layers):
    """Index of the folder that holds path; None outside of the list."""
    return next((i for i, folder in enumerate(layers) if path.startswith(folder)), None)


def problems_in(path, text, layers, exists=os.path.isfile):
    """Lines naming what is wrong with the includes of one file."""
    found = []
    own = layer(path, layers)
    for name in tree.INCLUDE.findall(text):
        target = layer(name, layers)
        if not exists(name) or target is None:
            found.append('%s: include "%s" is not a path from the top of the tree' % (path, name))
        elif own is not None and not layers[own].startswith("tests/") and target < own:
            found.append('%s: include "%s" points up: %s may not know %s'
                         % (path, name, layers[own], layers[target]))
        elif own is not None and not layers[own].startswith("tests/") and \
                layers[target].startswith("tests/"):
            found.append('%s: include "%s": only tests may know tests' % (path, name))
    header = re.sub(r"\.cc$", ".h", path)
    if path.endswith(".cc") and exists(header):
        first = re.search(r'^\s*#\s*include\s+["<]([^">]+)[">]', text, re.MULTILINE)
        if not first or first[1] != header:
            found.append('%s: the first include is not its own header "%s"' % (path, header))
    return found


def check():
    layers = folders(tree.read("docs/architecture.md"))
    sources = tree.files(".cc", ".h")
    return [line for path in sources for line in problems_in(path, tree.read(path), layers)]
