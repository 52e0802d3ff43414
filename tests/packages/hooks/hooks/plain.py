"""Hook implementations as the functions of a module; the others are not for the project."""

import pluggy

hookimpl = pluggy.HookimplMarker("plughost")
stranger = pluggy.HookimplMarker("another")


@hookimpl
def score(text):
    return len(text)


@hookimpl(tryfirst=True, specname="rank")
def rank_by_length(texts, *, reverse=False):
    return sorted(texts, key=len, reverse=reverse)


@hookimpl(hookwrapper=True, optionalhook=True)
def shorten(text):
    outcome = yield
    outcome.force_result(outcome.get_result()[: len(text)])


@stranger
def not_ours(text):
    return text


def unmarked(text):
    return text
