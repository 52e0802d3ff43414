"""Errors of many types, and values that can't travel."""

import errno


class WeatherError(Exception):
    """An error of the plugin's own."""


class Awkward(Exception):
    """An error that can't be printed."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def raise_value_error() -> None:
    raise ValueError("not a city")


def raise_os_error() -> None:
    raise FileNotFoundError(errno.ENOENT, "No such file or directory", "/no/such/file")


def raise_unicode_error() -> None:
    b"\xff".decode("utf-8")


def raise_own() -> None:
    raise WeatherError("rain")


def raise_chained() -> None:
    """Raise an error with a cause that has a context."""
    try:
        try:
            {}["city"]
        except KeyError as error:
            raise ValueError("no city") from error
    except ValueError:
        raise WeatherError("no forecast")


def raise_awkward() -> None:
    raise Awkward


def raise_base() -> None:
    raise KeyboardInterrupt


def raise_in_stream():
    yield 1
    raise ValueError("after the first")


def give_unsupported() -> object:
    return {"city": [1, object()]}


def give_itself() -> object:
    value = []
    value.append(value)
    return value


def give_deep(depth: int = 100_000) -> object:
    value = None
    for _ in range(depth):
        value = [value]
    return value
