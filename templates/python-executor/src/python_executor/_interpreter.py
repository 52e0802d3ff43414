"""Code → a finished run. It keeps the variables from run to run, and stays usable whatever the code does."""

from __future__ import annotations

import asyncio
import builtins
import importlib
import inspect
import logging
import os
import sys
import threading
import time
import types
from contextlib import contextmanager
from typing import TYPE_CHECKING

from . import _figures
from ._alarm import within
from ._failures import failure
from ._files import Files
from ._shown import kind, variables
from ._source import Sources
from ._streams import Streams
from ._values import sendable

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Mapping
    from types import CodeType

    from ._records import Execution

__all__ = ["Interpreter"]

_BUILT_INS = vars(builtins)
_BUILT_INS_BEFORE = dict(_BUILT_INS)
#: Names of our own: code may take away any other.
_restore, _evaluate = _BUILT_INS.update, eval

#: With less, not even an error could be told.
_LEAST_RECURSION = sys.getrecursionlimit()

_NOTHING = object()


class Interpreter:
    """One namespace, a module called `__main__`, and an event loop for code that awaits at its top level."""

    def __init__(self) -> None:
        self._sources = Sources()
        self._streams = Streams()
        self._lock = threading.RLock()
        self._folder = os.getcwd()
        self._loop = asyncio.new_event_loop()
        logging.getLogger().setLevel(logging.WARNING)  # as code expects it, whoever else wants to hear more
        _figures.prepare()
        self.forget()

    def forget(self) -> None:
        """Begin anew, without any variable."""
        self._module = types.ModuleType("__main__")

    @property
    def namespace(self) -> dict[str, object]:
        return vars(self._module)

    def run(
        self,
        code: str,
        *,
        context: Mapping[str, object],
        name: str = "",
        timeout_s: float | None = None,
        arrays: bool = False,
    ) -> Execution:
        """What came of the code; `context` is set before it runs, and `name` is what tracebacks call it."""
        with self._lock, self._as_main(), self._streams.recorded() as printed:
            files = Files(self._folder)
            self._prepare(context)
            filename = self._sources.keep(code, name)
            start = time.perf_counter()
            value, error = self._outcome(filename, timeout_s)
            took_s = time.perf_counter() - start
            _figures.save_open(self._folder)
            has_value = value is not _NOTHING
            result = sendable(value, arrays=arrays) if has_value else None
            output = printed.text()  # and not what values print that are only shown
            return {
                "success": error is None,
                "result": result,
                "result_type": kind(value) if has_value else None,
                "error": None if error is None else failure(error, filename, is_own=self._is_own, names=self._names()),
                "artifacts": files.changed(),
                "variables": variables(self.namespace),
                "execution_time": took_s,
                "code": None,
                "output": output,
            }

    @contextmanager
    def _as_main(self) -> Iterator[None]:
        """In it, the namespace is the module `__main__`, where pickle looks for the code's classes."""
        before = sys.modules["__main__"]
        sys.modules["__main__"] = self._module
        try:
            yield
        finally:
            sys.modules["__main__"] = before

    def _outcome(self, filename: str, timeout_s: float | None) -> tuple[object, BaseException | None]:
        """The value of the last expression, and what the code has raised."""
        tracer = sys.gettrace()
        try:
            with within(timeout_s):
                try:
                    return self._value(filename), None
                finally:
                    _restore(_BUILT_INS_BEFORE)
        except SystemExit as ended:
            return _NOTHING, None if ended.code in (None, 0) else ended
        except BaseException as error:  # whatever it is: it is the answer
            return _NOTHING, error
        finally:
            sys.settrace(tracer)
            sys.setrecursionlimit(max(sys.getrecursionlimit(), _LEAST_RECURSION))

    def _value(self, filename: str) -> object:
        codes = self._sources.compiled(filename)
        if any(code.co_flags & inspect.CO_COROUTINE for code in codes if code is not None):
            return self._awaited(self._in_turn(*codes))
        for code in codes:
            value: object = _evaluate(code, self.namespace) if code is not None else _NOTHING
        return value

    async def _in_turn(self, *codes: CodeType | None) -> object:
        for code in codes:
            value = _evaluate(code, self.namespace) if code is not None else _NOTHING
            if code is not None and code.co_flags & inspect.CO_COROUTINE:
                value = await value
        return value

    def _awaited(self, coroutine: Coroutine[object, object, object]) -> object:
        """What it comes to, in the one event loop: tasks that it has begun go on whenever code awaits again."""
        loop = self._loop
        task = loop.create_task(coroutine)
        try:
            return loop.run_until_complete(task)
        finally:
            if not task.done():  # it was interrupted
                task.cancel()
                loop.run_until_complete(asyncio.wait({task}))

    def _prepare(self, context: Mapping[str, object]) -> None:
        self.namespace.update({**context, "__name__": "__main__", "__builtins__": builtins})
        self._return_to_folder()
        if self._loop.is_closed():
            self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)  # which `asyncio.run` takes away
        if self._folder not in sys.path:
            sys.path.append(self._folder)  # last: a file of the code's takes the place of no other module
        importlib.invalidate_caches()  # it may just have been written

    def _return_to_folder(self) -> None:
        """Where the code has deleted the folder that it was in, begin in the working directory again."""
        try:
            os.getcwd()
        except OSError:
            os.makedirs(self._folder, exist_ok=True)
            os.chdir(self._folder)

    def _names(self) -> list[str]:
        return [*self.namespace, *_BUILT_INS_BEFORE]

    def _is_own(self, filename: str) -> bool:
        """Whether it is code of the caller's: given, or in a file beside."""
        if filename in self._sources or filename == "<string>":
            return True
        return filename.startswith(os.path.join(self._folder, "")) and "site-packages" not in filename
