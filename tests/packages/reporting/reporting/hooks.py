"""Hook implementations that log and print."""

import logging

import pluggy

hookimpl = pluggy.HookimplMarker("plughost")


@hookimpl
def score(text):
    print("scoring")
    logging.getLogger("scores").warning("score of %s", text)
    return len(text)
