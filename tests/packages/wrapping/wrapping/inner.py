"""Implementations, some of which raise; those of `around` wrap them."""

from wrapping import hookimpl


def _giving(name, value):
    def function():
        return value() if callable(value) else value

    function.__name__ = function.__qualname__ = name
    globals()[name] = hookimpl(function)


def _raising(name, error):
    def function():
        raise error

    function.__name__ = function.__qualname__ = name
    globals()[name] = hookimpl(function)


for _style in ("new", "old"):
    for _name in ("pass_on", "replace", "extend", "change_in_place", "raise_after", "yield_twice", "raise_before", "never_yield"):
        _giving(_style + "_" + _name, lambda: ["inner", {"a": 1}])
    for _name in ("catch", "convert", "let_through", "see", "raise_over"):
        _raising(_style + "_" + _name, ValueError("inner"))
    _raising(_style + "_runtime_error", RuntimeError("personal"))
    _raising(_style + "_stop", StopIteration(3))

_raising("see_exit", SystemExit(3))
_raising("see_key", KeyError("key"))
_raising("see_missing", FileNotFoundError(2, "missing"))
_raising("see_undecodable", UnicodeDecodeError("utf-8", b"a\xff", 1, 2, "invalid"))


@hookimpl
def nested():
    return "core"


@hookimpl
def nested_error():
    raise ValueError("core")
