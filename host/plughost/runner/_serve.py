"""The runner's loop: requests in, the plugin's answers out.

Above it: `__main__`, which has put the protocol on descriptors of its own; below it: `wire`, `framing`, and, only when they are
needed, the modules that describe and convert. Whatever the plugin raises becomes a response; nothing it raises ends the loop.
"""

from __future__ import annotations

import io
import os
import sys

from . import framing, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from types import ModuleType
    from typing import Protocol

    class Tool(Protocol):
        def __call__(self, *args: object, **kwargs: object) -> object: ...

    class Items(Protocol):
        def __next__(self) -> object: ...

    Method = Callable[[object, dict[str, object]], object]

__all__ = ["serve"]

PROTOCOL = 1
PLUGIN_ERROR = -32000
PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602

_READ_BYTES = 1 << 16


class _Ended(BaseException):
    """The host has no more to ask. Not an Exception, so that no plugin's `except Exception` swallows it."""


class _Refused(Exception):
    """A request that can't be served; its JSON-RPC code and message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Cancelled(Exception):
    """The host wants no more of the stream that is being sent."""


def serve(requests: int, replies: int) -> None:
    """Answer what comes on the descriptor `requests` until it ends."""
    server = _Server(requests, replies)
    try:
        while True:
            server.answer(server.receive())
    except _Ended:
        server.end()


class _Server:
    def __init__(self, requests: int, replies: int) -> None:
        self._requests = requests
        self._replies = replies
        self._assembler = framing.Assembler()
        self._tools: dict[str, Tool] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._project = "plughost"
        self._methods: dict[str, Method] = {
            "initialize": self._initialize,
            "describe": self._describe,
            "call": self._call,
            "shutdown": self._shutdown,
        }

    def receive(self) -> dict[str, object]:
        while True:
            message = self._assembler.next()
            if message is not None:
                return message
            try:
                chunk = os.read(self._requests, _READ_BYTES)
            except OSError:  # the plugin closed our descriptors: the host sees the end of its pipe, and we are of no more use
                os._exit(70)
            if not chunk:
                raise _Ended
            self._assembler.feed(chunk)

    def send(self, message: dict[str, object]) -> None:
        for buffer in wire.pack(message):
            view = memoryview(buffer)
            while view:
                try:
                    view = view[os.write(self._replies, view) :]
                except OSError:
                    os._exit(70)

    def answer(self, message: dict[str, object]) -> None:
        number = message.get("id")
        if number is None:
            return  # a notification that came too late for its stream
        params = message.get("params")
        params = params if isinstance(params, dict) else {}
        method = self._methods.get(str(message.get("method")))
        try:
            reply: dict[str, object] = {"result": (method or self._refuse)(number, params)}
        except _Ended:
            raise
        except _Refused as error:
            reply = {"error": {"code": error.code, "message": str(error)}}
        except _Staged as staged:
            from . import _failure

            reply = {"error": {"code": PLUGIN_ERROR, "message": "the plugin raised", "data": _failure.describe(staged)}}
        _flush()
        try:
            self.send({"jsonrpc": "2.0", "id": number, **reply})
        except wire.WireError as error:
            self.send({"jsonrpc": "2.0", "id": number, "error": _no_wire_form(error)})
        if method == self._shutdown:
            raise _Ended

    def end(self) -> None:
        if self._loop is not None:
            _own("_coroutines").close(self._loop)
        _leave_threads()

    # The methods of the protocol.

    def _initialize(self, _number: object, params: dict[str, object]) -> object:
        if params.get("protocol") != PROTOCOL:
            raise _Refused(INVALID_PARAMS, "this runner speaks protocol {}, not {!r}".format(PROTOCOL, params.get("protocol")))
        self._project = str(params.get("project", "plughost"))
        _enter_environment()
        return {"protocol": PROTOCOL, "python": "{}.{}.{}".format(*sys.version_info[:3]), "pid": os.getpid()}

    def _describe(self, _number: object, params: dict[str, object]) -> object:
        with _stage("import"):
            describe = _own("_describe").describe
            return describe(self._project, params["entry_points"])

    def _call(self, number: object, params: dict[str, object]) -> object:
        target = str(params["target"])
        tool = self._tools.get(target)
        if tool is None:
            with _stage("import"):
                tool = self._tools[target] = _own("_load").load(target)
        args, kwargs, credit = params.get("args"), params.get("kwargs"), params.get("credit")
        if not (isinstance(args, list) and isinstance(kwargs, dict) and isinstance(credit, int)):
            raise _Refused(INVALID_PARAMS, "`args`, `kwargs` or `credit` is not of its type")
        if params.get("convert"):
            with _stage("arguments"):
                args, kwargs = _own("_convert").convert(tool, args, kwargs, params["convert"])
        with _stage("call"):
            value: object = tool(*args, **kwargs)
            if hasattr(value, "__await__"):
                value = self._run_coroutine(value)
            if hasattr(value, "__anext__"):
                value = _own("_coroutines").Iterated(self._event_loop(), value)
        if hasattr(value, "__next__"):
            self._stream(number, value, credit)
            return None
        return value

    def _refuse(self, _number: object, _params: dict[str, object]) -> object:
        raise _Refused(METHOD_NOT_FOUND, "no such method")

    def _shutdown(self, _number: object, _params: dict[str, object]) -> object:
        return None

    # Streams and coroutines.

    def _stream(self, number: object, items: Items, credit: int) -> None:
        try:
            while True:
                while credit <= 0:
                    credit += self._credit(number)
                with _stage("call"):
                    try:
                        item = items.__next__()
                    except StopIteration:
                        return
                _flush()
                with _stage("result"):
                    self.send({"jsonrpc": "2.0", "method": "item", "params": {"id": number, "value": item}})
                credit -= 1
        except _Cancelled:
            pass
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                with _stage("call"):
                    close()

    def _credit(self, number: object) -> int:
        while True:
            message = self.receive()
            params = message.get("params")
            if not isinstance(params, dict) or params.get("id") != number:
                continue
            if message.get("method") == "cancel":
                raise _Cancelled
            if message.get("method") == "credit":
                return int(params["items"])

    def _event_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = _own("_coroutines").new_loop()
        return self._loop

    def _run_coroutine(self, awaitable: object) -> object:
        return _own("_coroutines").run(self._event_loop(), awaitable)


class _Staged(Exception):
    """What the plugin raised, and at which stage."""

    def __init__(self, stage: str, error: BaseException) -> None:
        super().__init__(stage)
        self.stage = stage
        self.error = error


class _stage:  # noqa: N801 - reads as the context manager it is: `with _stage(…):`
    """Turns whatever a block of the plugin's code raises into `_Staged`, `sys.exit` and a stray Ctrl-C included."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if error is not None and not isinstance(error, (_Ended, _Cancelled, _Staged)):
            raise _Staged(self._name, error) from error


def _own(name: str) -> ModuleType:
    """A module of the runner's, imported when first needed, its bytecode kept apart as at the start."""
    module = sys.modules.get("plughost_runner." + name)
    if module is None:
        import importlib

        kept, sys.pycache_prefix = sys.pycache_prefix, _BYTECODE
        try:
            module = importlib.import_module("plughost_runner." + name)
        finally:
            sys.pycache_prefix = kept
    return module


_BYTECODE = sys.pycache_prefix


def _enter_environment() -> None:
    """What `-S` left out: the environment's site-packages and its .pth files, whose code now can't reach the protocol."""
    sys.pycache_prefix = None
    import site

    site.main()
    for stream in (sys.stdout, sys.stderr):
        _set_up(stream)


def _set_up(stream: object) -> None:
    if isinstance(stream, io.TextIOWrapper):
        # As the plugin prints, so it arrives; and a lone surrogate in a log line is no reason to fail a call.
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _leave_threads() -> None:
    """End at once where the interpreter would wait for threads that the plugin left running; exit handlers run either way."""
    threading = sys.modules.get("threading")
    if threading is None or not any(
        thread is not threading.main_thread() and not thread.daemon for thread in threading.enumerate()
    ):
        return
    import atexit

    atexit._run_exitfuncs()  # noqa: SLF001 - there is no public way
    _flush()
    os._exit(0)


def _flush() -> None:
    """Send on what was printed; and reopen what the plugin closed, so that the next call can print."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        try:
            stream.flush()
        except Exception:  # noqa: BLE001 - closed, replaced or broken by the plugin: its output is lost, its result is not
            if getattr(stream, "closed", True):
                _reopen(name, descriptor)


def _reopen(name: str, descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        try:
            os.dup2(2 if descriptor == 1 else 1, descriptor)
        except OSError:  # both are gone, and there is nowhere left to print to
            return
    stream = os.fdopen(descriptor, "w", encoding="utf-8", closefd=False)
    setattr(sys, name, stream)
    setattr(sys, "__" + name + "__", stream)
    _set_up(stream)


def _no_wire_form(error: wire.WireError) -> dict[str, object]:
    data: dict[str, object] = {
        "stage": "result",
        "type": "plughost.WireError",
        "builtin": None,
        "message": str(error),
        "traceback": "",
        "causes": [],
    }
    return {"code": PLUGIN_ERROR, "message": str(error), "data": data}
