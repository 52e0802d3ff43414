"""Hook wrappers: generators that stand still between two requests, while the implementations that they wrap run elsewhere.

Above it: the loop; below it: the plugin's generator functions. The rules are pluggy's, for `wrapper=True` and for the older
`hookwrapper=True`; pluggy itself need not be in the environment.
"""

from __future__ import annotations

import types

from . import _exceptions, _failure
from ._given import Given

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

    Record = dict[str, object]

__all__ = ["HookResult", "Wrappers"]


class HookResult:
    """What an older wrapper is sent at its `yield`; as pluggy's `Result`, which it stands for.

    Source: https://pluggy.readthedocs.io/en/stable/api_reference.html#pluggy.Result
    """

    def __init__(self, result: object, exception: BaseException | None) -> None:
        self._result = result
        self._exception = exception

    @property
    def exception(self) -> BaseException | None:
        return self._exception

    @property
    def excinfo(self) -> tuple[type[BaseException], BaseException, object] | None:
        error = self._exception
        return None if error is None else (type(error), error, error.__traceback__)

    @property
    def result(self) -> object:
        """The result, and None for an exception; pluggy had it until 1.0."""
        return self._result

    def force_result(self, result: object) -> None:
        self._result, self._exception = result, None

    def force_exception(self, exception: BaseException) -> None:
        self._result, self._exception = None, exception

    def get_result(self) -> object:
        if self._exception is not None:
            raise self._exception
        return self._result


class Wrappers:
    """The wrappers that have yielded and not been resumed, by number."""

    def __init__(self) -> None:
        self._open: dict[object, Generator[object, object, object]] = {}
        self._started = 0

    def start(self, generator: object) -> Record:
        """Run a wrapper up to its `yield`; a number to resume it by, 0 if it ended without one."""
        if not isinstance(generator, types.GeneratorType):
            raise TypeError("a hook wrapper is a generator function; this one gave a '{}'".format(type(generator).__name__))
        try:
            next(generator)
        except StopIteration:
            return {"wrapper": 0}
        self._started += 1
        self._open[self._started] = generator
        return {"wrapper": self._started}

    def resume(self, params: Record) -> Record:
        """Go on behind the `yield`, with the `result` or the `error` of what was wrapped; the answer says what came of it.

        `outcome` is `same`, `result` (with `value` and `given`), `exception` (with `error`), `raised` (an older wrapper let the
        exception through that it was given) or `yielded`: it yielded once more, which is the host's to refuse.
        """
        number = params.get("wrapper")
        generator = self._open.pop(number)
        record = params.get("error")
        exception = _exceptions.revive(record) if isinstance(record, dict) else None
        given = Given(params.get("result"), params.get("kept"))
        older = HookResult(given.value, exception) if params.get("style") == "hookwrapper" else None
        try:
            if older is not None:
                generator.send(older)
            elif exception is not None:
                generator.throw(exception)
            else:
                generator.send(given.value)
        except StopIteration as stop:
            return _outcome(older, given, exception) if older is not None else _value(stop.value, given, exception)
        except BaseException as error:
            if exception is not None and (error is exception or _is_wrapped_stop(error, exception)):
                return {"outcome": "same" if older is None else "raised"}
            raise
        self._open[number] = generator
        return {"outcome": "yielded"}

    def drop(self, number: object) -> None:
        """Close a wrapper that is not to go on."""
        generator = self._open.pop(number, None)
        if generator is not None:
            generator.close()


def _outcome(outcome: HookResult, given: Given, exception: BaseException | None) -> Record:
    error = outcome.exception
    if error is not None:
        return {"outcome": "same"} if error is exception else {"outcome": "exception", "error": _failure.record_of(error, "call")}
    return _value(outcome.result, given, exception)


def _value(value: object, given: Given, exception: BaseException | None) -> Record:
    return given.outcome(value) if exception is None else {"outcome": "result", "value": value}


def _is_wrapped_stop(error: BaseException, given: BaseException) -> bool:
    """A StopIteration that was thrown into a generator comes out of it as the cause of a RuntimeError (PEP 479)."""
    return isinstance(given, StopIteration) and isinstance(error, RuntimeError) and error.__cause__ is given
