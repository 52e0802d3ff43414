"""The runner's loop: requests in, the plugin's answers out.

Above it: `_start`, which has put the protocol on descriptors of its own; below it: the connection, and, only when they are
needed, the modules that describe and convert. Whatever the plugin raises becomes a response; nothing it raises ends the loop.
"""

from __future__ import annotations

import _thread
import os
import sys

from . import _arrays, _failure, _printed, wire
from ._connection import Ended, Interrupted
from ._events import Events, when_imported
from ._loop import PLAIN, answer_all, head_of
from ._stages import Staged, stage
from ._streams import Streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from types import ModuleType
    from typing import Protocol

    from . import _loop, _streams, _wrappers
    from ._streams import Filling

    class Tool(Protocol):
        def __call__(self, *args: object, **kwargs: object) -> object: ...

    class Hearing(Protocol):
        """What one call hears and says by."""

        before_aside: Callable[[], None] | None

        def receive(self) -> dict[str, object]: ...
        def receive_nowait(self) -> dict[str, object] | None: ...
        def send(self, message: dict[str, object]) -> None: ...
        def send_line(self, line: bytes) -> None: ...

    class Link(_loop.Link, Protocol):
        """Where messages come from and go to: the pipes, or a twin of them in process."""

        before_aside: Callable[[], None] | None

        def receive_nowait(self) -> dict[str, object] | None: ...
        def send(self, message: dict[str, object]) -> None: ...
        def send_aside(self, message: dict[str, object], is_welcome: Callable[[], object]) -> bool: ...

    Method = Callable[[object, dict[str, object]], object]

__all__ = ["Server", "enter_environment", "own", "serve"]

PROTOCOL = 1
_SIGINT = 2
_signal = __import__("_signal")  # the C half, which there are no stubs for: `signal` itself imports `enum`
PLUGIN_ERROR = -32000
METHOD_NOT_FOUND, INVALID_PARAMS = -32601, -32602


class _Shared(BaseException):
    """From here on, calls run beside one another."""


class _Refused(Exception):
    """A request that can't be served; its JSON-RPC code and message."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def serve(link: Link, *, enter: Callable[[], None], first: Callable[[Server], None] | None = None) -> None:
    """Answer what comes over the link until it ends. `enter` is called once, before anything of the plugin is imported.

    `first` is called once all is made that answers: of a forked child, what waits for the fork.
    """
    server = Server(link, enter)
    try:
        if first is not None:
            first(server)
            server.events.adopt()
            listen()
        answer_all(link, server)
    except Ended:
        server.end()
    except _Shared:
        own("_concurrent").serve(link, server, has_coroutines=server.has_coroutines)


class Server:
    def __init__(self, link: Link, enter: Callable[[], None]) -> None:
        self._enter = enter
        self._tools: dict[str, Tool] = {}
        #: How the requests begin that call those of them of which nothing is special.
        self.heads: dict[str, Tool] = {}
        self._wrappers: _wrappers.Wrappers | None = None
        #: Whether several calls may run at a time, and whether some of them are coroutines, see `_concurrent`.
        self.is_shared = self.has_coroutines = False
        #: What asks the host for the result of a function of the app's.
        self.ask = self._ask
        self.speak_by(link)
        #: What the plugin logs.
        self.events = Events(link, lambda: self.running, own)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._project = "plughost"

    def speak_by(self, link: Hearing) -> None:
        """Hear and say all by this link from now on, in this thread."""
        self._receive, self._send = link.receive, link.send
        self._thread = _thread.get_ident()
        self.running = 0
        self._callbacks = 0
        self._streams = Streams(link, self.answer)
        self._methods: dict[str, Method] = {
            "initialize": self._initialize,
            "describe": self._describe,
            "load": self._load,
            "uncompiled": self._uncompiled,
            "call": self._call,
            "wrap": self._wrap,
            "resume": self._resume,
            "drop": self._drop,
            "shutdown": self._shutdown,
        }

    def answer(self, message: dict[str, object]) -> None:
        number = message.get("id")
        if number is None:
            if message.get("method") == "shutdown":  # of whom no answer is awaited
                raise Ended
            return  # a notification that came too late for its stream
        method = self._methods.get(str(message.get("method")))
        self.running += 1
        reply = self._reply(number, method or self._refuse, message.get("params"))
        self.running -= 1
        self._respond(number, reply)
        if method == self._shutdown:
            raise Ended
        if method == self._initialize and self.is_shared:
            raise _Shared

    def _respond(self, number: object, reply: dict[str, object]) -> None:
        _printed.flush()
        try:
            self._send({"jsonrpc": "2.0", "id": number, **reply})
        except Interrupted:  # too late: it is answered
            pass
        except BaseException as error:  # noqa: BLE001 - it has no wire form, no memory is left, or a method of its own raises
            self._send({"jsonrpc": "2.0", "id": number, "error": _error(error, "result")})

    def respond(self, number: object, value: object) -> None:
        """The result of a call, whatever it is."""
        self._respond(number, {"result": value})

    def fail(self, number: object, error: BaseException) -> None:
        """What a call has raised."""
        staged = error if isinstance(error, Staged) else Staged("call", error)
        self._respond(number, {"error": _error(staged.error, staged.stage)})

    def known(self, target: object) -> Tool | None:
        """The tool, if it is loaded."""
        return self._tools.get(target) if isinstance(target, str) else None

    def end(self) -> None:
        self.events.close()
        if self._loop is not None:
            own("_coroutines").close(self._loop)

    def _reply(self, number: object, method: Method, params: object) -> dict[str, object]:
        try:
            return {"result": method(number, params if isinstance(params, dict) else {})}
        except Ended:
            raise
        except _Refused as error:
            return {"error": {"code": error.code, "message": str(error)}}
        except Staged as staged:
            return {"error": _error(staged.error, staged.stage, staged.given)}
        except BaseException as error:  # noqa: BLE001 - of a tracer or a signal handler of the plugin's, within our own code
            return {"error": _error(error, "call")}

    # The methods of the protocol.

    def _initialize(self, _number: object, params: dict[str, object]) -> object:
        if params.get("protocol") != PROTOCOL:
            raise _Refused(INVALID_PARAMS, "this runner speaks protocol {}, not {!r}".format(PROTOCOL, params.get("protocol")))
        self.introduce(params)
        listen()
        return {"protocol": PROTOCOL, "python": "{}.{}.{}".format(*sys.version_info[:3]), "pid": os.getpid()}

    def introduce(self, params: dict[str, object]) -> None:
        """Be what the host has asked for: all of `initialize` that need not be done in the process that answers."""
        self._project = str(params.get("project", "plughost"))
        level = params.get("log")
        if isinstance(level, int):
            self.events.watch(level)
        _arrays.MANNER.plainly = params.get("plainly") is True
        if params.get("concurrency", 1) != 1:
            self.is_shared, self.has_coroutines = True, params.get("coroutines") is True
        self._enter()
        module = type(sys)("plughost_app")
        vars(module)["__getattr__"] = self._app_function
        sys.modules["plughost_app"] = module

    def learn(self, target: str) -> None:
        """Have a tool at hand for calls of which nothing is special."""
        self.heads[head_of(target)] = self.tool_at(target)

    def _describe(self, _number: object, params: dict[str, object]) -> object:
        entry_points = params.get("entry_points")
        if not isinstance(entry_points, dict):
            raise _Refused(INVALID_PARAMS, "`entry_points` is not of its type")
        with stage("import"):
            return own("_describe").describe(self._project, entry_points)

    def _load(self, _number: object, params: dict[str, object]) -> object:
        targets = params.get("targets")
        for target in targets if isinstance(targets, list) else ():
            self.tool_at(target)
        return None

    def _uncompiled(self, _number: object, _params: dict[str, object]) -> object:
        return own("_bytecode").uncompiled()

    def _call(self, number: object, params: dict[str, object]) -> object:
        tool, args, kwargs = self._called(params)
        places = params.get("pulled")
        if not isinstance(places, list):
            return self._call_with(number, tool, args, kwargs, params)
        with own("_pulling").Pulling(self._streams, number, self._may_ask) as pulling:
            pulling.put_in(places, args, kwargs)
            return self._call_with(number, tool, args, kwargs, params)

    def _call_with(
        self, number: object, tool: Tool, args: list[object], kwargs: dict[str, object], params: dict[str, object]
    ) -> object:
        if params.get("convert"):
            with stage("arguments"):
                args, kwargs = own("_convert").convert(tool, args, kwargs, params["convert"])
        with stage("call"):
            value = tool(*args, **kwargs)
        return value if type(value) in PLAIN else self.settled(number, value)

    def settled(self, number: object, value: object) -> object:
        """What a tool has returned, once a coroutine has run and the items of a generator are sent."""
        with stage("call"):
            # Python looks for these in the class alone; an instance may have an answer for any name.
            if hasattr(type(value), "__await__"):
                value = self._run_coroutine(value)
            if hasattr(type(value), "__anext__"):
                items: _streams.Items | Filling = self._iterated(value)
            elif hasattr(type(value), "__next__") and hasattr(value, "__next__"):
                items = value
            else:
                return value
        return self._streams.send(number, items)

    def _called(self, params: dict[str, object]) -> tuple[Tool, list[object], dict[str, object]]:
        """The tool or hook implementation that a request names, and the arguments for it."""
        target, args, offered = (params.get(name) for name in ("target", "args", "offered"))
        kwargs = params.get("kwargs", {})
        if not (isinstance(target, str) and isinstance(args, list) and isinstance(kwargs, dict)):
            raise _Refused(INVALID_PARAMS, "`target`, `args` or `kwargs` is not of its type")
        tool = self.tool_at(target)
        if isinstance(offered, dict):
            for place, name in offered.items():
                function = self._app_function(name)
                if place.isdigit():
                    args[int(place)] = function
                else:
                    kwargs[place] = function
        return tool, args, kwargs

    def tool_at(self, target: str) -> Tool:
        """What the target names, imported by its first call.

        Raises: Staged: its import has failed.
        """
        tool = self._tools.get(target)
        if tool is None:
            with stage("import"):
                tool = self._tools[target] = own("_load").load(target)
        return tool

    # Hook wrappers, in two halves.

    def _wrap(self, _number: object, params: dict[str, object]) -> object:
        function, args, kwargs = self._called(params)
        if self._wrappers is None:
            self._wrappers = own("_wrappers").Wrappers()
        with stage("call"):
            return self._wrappers.start(function(*args, **kwargs))

    def _resume(self, _number: object, params: dict[str, object]) -> object:
        if self._wrappers is None:
            raise _Refused(INVALID_PARAMS, "no wrapper has begun")
        with stage("call"):
            return self._wrappers.resume(params)

    def _drop(self, _number: object, params: dict[str, object]) -> object:
        if self._wrappers is not None:
            with stage("call"):
                self._wrappers.drop(params.get("wrapper"))
        return {}

    # The app's own functions.

    def _app_function(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return own("_app").function_of(name, self._call_back)

    def _call_back(self, name: str, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        message = self.ask({"name": name, "args": list(args), "kwargs": kwargs})
        error = message.get("error")
        if isinstance(error, dict):
            raise own("_exceptions").revive(error.get("data") or {"message": error.get("message")})
        return message.get("result")

    def _ask(self, params: dict[str, object]) -> dict[str, object]:
        """Ask the host for a function's result. What the host asks for meanwhile, of this same worker, is answered first."""
        if not self.running or not self._may_ask():
            raise RuntimeError(
                "a function of the app's can be called only while the app calls the plugin, and in the same thread"
            )
        self._callbacks += 1
        number = "callback-{}".format(self._callbacks)
        self._streams.flush()
        self._send({"jsonrpc": "2.0", "id": number, "method": "callback", "params": params})
        while True:
            message = self._receive()
            if message.get("id") == number and "method" not in message:
                return message
            self._streams.take(message)

    def _may_ask(self) -> bool:
        """Whether this is the thread that speaks with the host."""
        return _thread.get_ident() == self._thread

    def _refuse(self, _number: object, _params: dict[str, object]) -> object:
        raise _Refused(METHOD_NOT_FOUND, "no such method")

    def _shutdown(self, _number: object, _params: dict[str, object]) -> object:
        return None

    # Coroutines.

    def _event_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = own("_coroutines").new_loop()
        return self._loop

    def _iterated(self, generator: object) -> Filling:
        items: Filling = own("_coroutines").Iterated(self._event_loop(), generator)
        return items

    def _run_coroutine(self, awaitable: object) -> object:
        loop, coroutines = self._event_loop(), own("_coroutines")
        if not loop.is_running():
            return coroutines.run(loop, awaitable)
        # A coroutine has called the app back, and the app the plugin: until this one ends, it is its thread that may call back.
        before = self._thread
        try:
            return coroutines.run_aside(awaitable, self._enter_thread)
        finally:
            self._thread = before

    def _enter_thread(self) -> None:
        self._thread = _thread.get_ident()


def listen() -> None:
    """Be cancelled by Ctrl-C from now on, which the host has had wait for this.

    Raises: Ended: what was to be called is called off.
    """
    try:
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, (_SIGINT,))
    except KeyboardInterrupt:
        raise Ended from None


def own(name: str) -> ModuleType:
    """A module of the runner's, imported when first needed, its bytecode kept apart as at the start."""
    module = _imported.get(name)
    if module is None:
        with _importing:
            kept, sys.pycache_prefix = sys.pycache_prefix, _BYTECODE
            try:
                __import__("plughost_runner." + name)
                module = _imported[name] = sys.modules["plughost_runner." + name]
            finally:
                sys.pycache_prefix = kept
    return module


_imported: dict[str, ModuleType] = {}  # `sys.modules` has those, too, that another thread is in the middle of
_importing = _thread.RLock()
_BYTECODE = sys.pycache_prefix


def enter_environment() -> None:
    """What `-S` left out: the environment's site-packages and its .pth files, whose code now can't reach the protocol."""
    sys.pycache_prefix = None
    when_imported("subprocess", lambda: own("_flags").inherit_site(sys.modules["subprocess"]))
    import site

    site.main()
    _printed.set_up()


def _error(error: BaseException, stage: str, given: str | None = None) -> dict[str, object]:
    """The error object of a response; `given` is the place of the argument that has raised it."""
    if isinstance(error, wire.WireError) and stage == "result":
        # What it is called in Python says nothing to anybody; its message names the place.
        data: dict[str, object] = {"type": "plughost.WireError", "builtin": None, "message": str(error)}
        return {"code": PLUGIN_ERROR, "message": str(error), "data": {**data, "stage": stage, "traceback": "", "causes": []}}
    record = _failure.record_of(error, stage)
    if stage == "result":  # a method of the value's own raised, or no memory is left
        record["message"] = "reading it raised {type}: {message}".format(**record).rstrip(": ")
    if given is not None:
        record["given"] = given
    return {"code": PLUGIN_ERROR, "message": "the plugin raised", "data": record}
