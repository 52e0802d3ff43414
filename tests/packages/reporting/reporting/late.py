"""A tool that imports `logging` when it is called, and not before."""

import sys


def late():
    was_there = "logging" in sys.modules
    import logging

    logging.getLogger("late").info("at last")
    return was_there
