"""A plugin that tries to get out: one function for each attempt, in modules by what it is after.

Each takes what there is outside (`facts.json`, which the test writes), and gives what it got, or nothing, or raises. None of
them does any harm where it gets through: what it sends signals to, writes and connects to is the test's own.
"""

import importlib
import json
import os
from types import SimpleNamespace

__all__ = ["attempt"]

with open(os.path.join(os.path.dirname(__file__), "facts.json")) as file:
    OUTSIDE = SimpleNamespace(**json.load(file))


def attempt(name):
    """What the attempt `module.function` got, as text; `refused: ` and why where it got nothing."""
    module, _, function = name.partition(".")
    try:
        got = getattr(importlib.import_module("attacker." + module), function)(OUTSIDE)
    except (OSError, RuntimeError, ValueError, MemoryError, AttributeError, ImportError) as error:
        return "refused: {}: {}".format(type(error).__name__, error)
    return "got: {}".format(got) if got else "refused: nothing came of it"
