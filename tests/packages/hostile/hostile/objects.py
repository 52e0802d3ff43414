"""Values and errors whose own methods do what they like."""

import sys


class Meta(type):
    def __getattr__(cls, name):
        raise KeyboardInterrupt


class Untouchable(metaclass=Meta):
    pass


class Exiting(dict):
    def items(self):
        raise SystemExit(3)


class Anything:
    """Has every attribute there is, and none of them means anything."""

    def __getattr__(self, name):
        return lambda *_args, **_kwargs: self


class Unequal(Exception):
    def __eq__(self, other):
        raise RuntimeError("not to be compared")

    __hash__ = None


class Causeless(Exception):
    @property
    def __cause__(self):
        raise RuntimeError("not to be asked")


class Nameless(Exception):
    pass


Nameless.__module__ = None


class OddExit(SystemExit):
    @property
    def code(self):
        raise RuntimeError("not to be asked")


def give_untouchable() -> object:
    return Untouchable()


def give_exiting() -> object:
    return {"items": [b"", Exiting(a=1)]}


def give_anything() -> object:
    return Anything()


def give_unsupported_in_stream():
    yield 1
    yield {"when": object()}


def raise_unequal() -> None:
    raise Unequal("second") from Unequal("first")


def raise_causeless() -> None:
    raise Causeless("why")


def raise_nameless() -> None:
    raise Nameless("who")


def raise_odd_exit() -> None:
    raise OddExit(3)


def raise_large_exit() -> None:
    sys.exit(10**5000)


def raise_in_circle() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    raise first


def plughost_tools():
    return [tool for name, tool in globals().items() if name.startswith(("give_", "raise_"))]
