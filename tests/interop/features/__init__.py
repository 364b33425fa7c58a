"""What is tried at each provider: one function a feature. Its docstring is the line in the table.

A feature returns a note (or nothing) where all is well; it raises `Failed` with what was seen where it is not, and
`Unsupported` where the provider has no such thing.
"""
from kit.processes import Failed

FEATURES = []


def feature(function):
    FEATURES.append(function)
    return function


def check(truth, words):
    if not truth:
        raise Failed(words)


from . import signing_in, client, way_back, several, changes      # noqa: E402, F401  (in the order of the table)
