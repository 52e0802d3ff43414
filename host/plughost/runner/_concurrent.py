"""Calls that run beside one another: coroutines in one event loop, plain functions in threads.

Above it: `_serve`, whose host asked for that; below it: the connection, the threads, and `_tasks` where there are coroutines. The
main thread hears the host. It imports the plugin, runs its coroutines, and leaves all else to threads. A call that does more than
take plain arguments and return a plain value has a server of its own, a *turn*, which hears what the host says of this call
alone: so everything is as it is for a call that has the process to itself.

How many calls there are at a time is the host's business, which may call again from within a function that was called back.
"""

from __future__ import annotations

import _thread
from _queue import Empty, SimpleQueue
from collections import deque
from contextvars import copy_context

from . import framing, wire
from ._connection import Ended
from ._loop import PLAIN
from ._serve import Server, own
from ._spoken import CALL, Speaker, attribute_output
from ._threads import Threads

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from ._connection import Connection
    from ._serve import Tool
    from ._streams import Filling

    Message = dict[str, object]

__all__ = ["Hub", "Turn", "serve"]

_NUMBER = len('{"jsonrpc":"2.0","id":')  # where it begins
_NUMBER_ENDS = _NUMBER + 22  # at the latest
_ARGS = '"args":'
_KWARGS = ',"kwargs":'
_MOST_HEADS = 4096
_OF_PLUGIN = {"call", "wrap", "resume", "drop"}
_PLAIN_PARAMS = {"target", "args", "kwargs"}
_UNREADABLE = (ValueError, StopIteration, SystemError, RecursionError)  # as `wire.unpack` has it
_COROUTINE = 0x80  # `inspect.CO_COROUTINE`


def serve(link: Connection, server: Server, *, has_coroutines: bool) -> None:
    """Answer what comes over the link until it ends."""
    attribute_output()
    hub = Hub(link, server)
    try:
        if has_coroutines:
            own("_tasks").run(hub)
        else:
            hub.run()
    except Ended:
        pass
    hub.drain()
    server.end()


class Call(Speaker):
    """A call that is being answered. `task` is what `cancel` is told of, too."""

    __slots__ = ("_hub", "heard", "is_answered", "is_cancelled", "is_within", "number", "task", "turn")

    def __init__(self, hub: Hub, number: object) -> None:
        super().__init__(self._say)
        self._hub = hub
        self.number = number
        #: What the host has said of it, for its turn.
        self.heard: SimpleQueue[Message] = SimpleQueue()
        self.is_answered = self.is_cancelled = False
        self.task: Task | asyncio.Task[None] | None = None
        self.turn: Turn | None = None
        #: Made by the app while it is called back.
        self.is_within = False

    def _say(self, text: str) -> bool:
        return self._hub.say(self, {"jsonrpc": "2.0", "method": "output", "params": {"id": self.number, "text": text}})


class Task:
    """Something that can be cancelled, from any thread."""

    def cancel(self) -> object:
        raise NotImplementedError


class Hub:
    """Hears all that the host says, and says all that it is told."""

    def __init__(self, link: Connection, server: Server) -> None:
        self.link, self.server = link, server
        self.threads = Threads()
        self.calls: dict[object, Call] = {}
        #: Who waits for the answer of a function of the app's, by the number of the question.
        self.questions: dict[object, SimpleQueue[Message]] = {}
        self.reader = _thread.get_ident()
        #: Starts a coroutine, where there is a loop for it.
        self.start_task: Callable[[Call, Tool, list[object], dict[str, object]], None] | None = None
        #: Has `drain` called a little later, in the thread that reads: what is said until then goes with it.
        self.drain_soon: Callable[[], None] | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        #: How often the main thread waits for the app at the moment, one time inside another.
        self.waits = 0
        #: It has read by itself since the event loop was told that there is something to read.
        self.has_waited = False
        self._heads: dict[str, Tool] = {}
        self._partial = b""
        self._out: deque[bytes] = deque()
        self._writing = _thread.allocate_lock()
        self._ending = _thread.allocate_lock()  # of calls: what is said of one that has ended comes too late
        self._asked = 0
        server.speak_by(self)
        server.ask = self._ask
        server.events.move(self, lambda: self.calls)

    # What the host says.

    def run(self) -> None:
        """Raises: Ended: the host has no more to ask."""
        self.take_waiting()
        while True:
            self.pump()

    def take_waiting(self) -> None:
        """What came together with the request to run calls beside one another."""
        self._take_all(self.link.taken(b""))

    def pump(self) -> None:
        """Wait for what the host says next, and take it.

        Raises: Ended: it says nothing more.
        """
        chunk = self.link.read()
        if b'"frames":' in chunk or self.link.is_amid():
            chunk, self._partial = self._partial + chunk, b""
            self._take_all(self.link.taken(chunk))
            return
        whole = chunk.rfind(b"\n") + 1
        if not whole:
            self._partial += chunk
            return
        lines, self._partial = self._partial + chunk[:whole], chunk[whole:]
        jobs = []
        for line in lines.decode("utf-8", "surrogatepass").split("\n")[:-1]:
            job = self._take_line(line)
            if job is not None:
                jobs.append(job)
        self.threads.do_all(jobs)

    def _take_all(self, messages: list[Message]) -> None:
        for message in messages:
            self._take(message)

    def _take_line(self, text: str) -> Callable[[], None] | None:
        """What a thread is to do of a line; None where there is nothing to do, or it is done."""
        kwargs: object = {}
        try:
            comma = text.find(",", _NUMBER, _NUMBER_ENDS)
            start = text.find(_ARGS, comma) + 7
            tool = self._heads.get(text[comma:start])
            if tool is not None:
                args, end = wire.scan(text, start)
                if text.startswith(_KWARGS, end):
                    kwargs, end = wire.scan(text, end + 10)
                if text[end:] == "}}" and isinstance(args, list) and isinstance(kwargs, dict):
                    return self._begin(int(text[_NUMBER:comma]), tool, args, kwargs)
        except _UNREADABLE:
            pass
        self._take_all(self.link.taken((text + "\n").encode("utf-8", "surrogatepass")))
        return None

    def _take(self, message: Message) -> None:
        number, method, params = message.get("id"), message.get("method"), message.get("params")
        params = params if isinstance(params, dict) else {}
        if method is None:
            question = self.questions.pop(number, None)
            if question is not None:
                question.put(message)
        elif number is None:
            call = self.calls.get(params.get("id"))
            if call is not None:
                self._tell(call, message)
        elif method not in _OF_PLUGIN:
            self.server.answer(message)
        else:
            self._answer(number, method, params, message)

    def _tell(self, call: Call, message: Message) -> None:
        if message["method"] == "cancel":
            call.is_cancelled = True
        call.heard.put(message)
        if call.is_cancelled and call.task is not None:
            call.task.cancel()

    def _answer(self, number: object, method: object, params: Message, message: Message) -> None:
        """A request: it is imported here what it names, and else it is the business of a thread, or of the event loop."""
        call = self._opened(number)
        tool = None
        if isinstance(params.get("target"), str):
            token = CALL.set(call)
            try:
                tool = self.server.tool_at(str(params["target"]))
            except Ended:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever the import raises
                self.close(call)
                self.server.fail(number, error)
                return
            finally:
                CALL.reset(token)
        if method == "call" and tool is not None and params.keys() <= _PLAIN_PARAMS:
            args, kwargs = params.get("args"), params.get("kwargs", {})
            if isinstance(args, list) and isinstance(kwargs, dict):
                if len(self._heads) < _MOST_HEADS:
                    target = wire.encode(params["target"])
                    self._heads[f',"method":"call","params":{{"target":{target},"args":'] = tool
                job = self._begin(number, tool, args, kwargs, call)
                if job is not None:
                    self.threads.do(job)
                return
        call.is_within = "within" in params
        context = copy_context()
        self.threads.do(lambda: context.run(self._take_turn, call, message))

    def _opened(self, number: object) -> Call:
        call = self.calls[number] = Call(self, number)
        return call

    def _begin(
        self, number: object, tool: Tool, args: list[object], kwargs: dict[str, object], call: Call | None = None
    ) -> Callable[[], None] | None:
        call = call or self._opened(number)
        if self.start_task is not None and getattr(getattr(tool, "__code__", None), "co_flags", 0) & _COROUTINE:
            self.start_task(call, tool, args, kwargs)
            return None
        context = copy_context()
        return lambda: context.run(self._call, call, tool, args, kwargs)

    # In a thread.

    def _call(self, call: Call, tool: Tool, args: list[object], kwargs: dict[str, object]) -> None:
        CALL.set(call)
        if call.is_cancelled:
            self.fail(call, InterruptedError("it was cancelled before it began"))
            return
        try:
            value = tool(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - whatever the plugin raises, `sys.exit` included
            self.fail(call, error)
        else:
            self._conclude(call, value)

    def _conclude(self, call: Call, value: object) -> None:
        try:
            if type(value) not in PLAIN:
                value = Turn(self, call).settled(call.number, value)
        except BaseException as error:  # noqa: BLE001 - as above
            self.fail(call, error)
        else:
            self.answer(call, value)

    def settle(self, call: Call, value: object) -> None:
        """Have a thread answer what came of a coroutine."""
        context = copy_context()
        self.threads.do(lambda: context.run(self._conclude, call, value))

    def _take_turn(self, call: Call, message: Message) -> None:
        CALL.set(call)
        turn = Turn(self, call)
        try:
            turn.answer(message)
        except BaseException as error:  # noqa: BLE001 - as above
            self.fail(call, error)

    # What is said.

    def answer(self, call: Call, value: object) -> None:
        number = call.number
        self.close(call)
        try:
            result = "" if type(value) is str and len(value) >= wire.BULK_BYTES else wire.encode(value)
            line = f'{{"jsonrpc":"2.0","id":{number},"result":{result}}}\n'.encode()
        except Exception:  # noqa: BLE001 - the slow way has the rule for it, or the words
            result = ""
        if not result or len(result) >= wire.BULK_BYTES:
            self.server.respond(number, value)
        else:
            self.send_line(line)

    def fail(self, call: Call, error: BaseException) -> None:
        self.close(call)
        if not isinstance(error, Ended):
            self.server.fail(call.number, error)

    def close(self, call: Call) -> None:
        """What is said of the call from now on is its answer alone."""
        call.flush()
        with self._ending:
            call.is_answered = True
            self.calls.pop(call.number, None)

    def say(self, call: Call, message: Message) -> bool:
        """From any thread: say something of a call, unless it has been answered."""
        line = wire.pack(message)[0]
        with self._ending:
            if call.is_answered:
                return False
            self._out.append(line)
        self.flush()
        return True

    def send_aside(self, message: Message, is_welcome: Callable[[], object]) -> bool:
        """As the connection's, of the call whose context this is."""
        call = CALL.get()
        params = message.get("params")
        if isinstance(call, Call) and isinstance(params, dict):
            params["id"] = call.number
            return self.say(call, message)
        line = wire.pack(message)[0]
        with self._ending:
            if not is_welcome():
                return False
            self._out.append(line)
        self.flush()
        return True

    def receive(self, _chunk: bytes = b"") -> Message:
        raise RuntimeError("a function of the app's can be called only while the app calls the plugin")

    def receive_nowait(self) -> Message | None:
        return None

    before_aside: Callable[[], None] | None = None

    def send(self, message: Message) -> None:
        """Raises: WireError: a value in it has no wire form."""
        self._out += (b"".join(framing.gathered(wire.pack(message, self.link.bulk))),)
        self.flush()

    def send_line(self, line: bytes) -> None:
        self._out.append(line)
        self.flush()

    def flush(self) -> None:
        """Have what is said go out: what several threads say at a time, by one of them."""
        if self.drain_soon is not None and _thread.get_ident() == self.reader:
            self.drain_soon()
        else:
            self.drain()

    def drain(self) -> None:
        out = self._out
        while out and self._writing.acquire(False):  # noqa: FBT003 - the parameter has no name in every Python
            try:
                while out:
                    lines = []
                    try:
                        while True:
                            lines.append(out.popleft())
                    except IndexError:
                        pass
                    self.link.send_line(b"".join(lines))
            finally:
                self._writing.release()

    # What calls ask the app for.

    def _ask(self, params: Message) -> Message:
        """What the app answers. In the thread of the event loop, which stands still meanwhile, what comes else is taken here."""
        call = CALL.get()
        if not isinstance(call, Call) or call.is_answered:
            raise RuntimeError("a function of the app's can be called only while the app calls the plugin")
        if call.turn is not None:
            call.turn.flush()
        call.flush()
        self._asked += 1
        number = f"callback-{self._asked}-{_thread.get_ident()}"
        question: SimpleQueue[Message]
        question = self.questions[number] = SimpleQueue()
        self.send({"jsonrpc": "2.0", "id": number, "method": "callback", "params": {"call": call.number, **params}})
        return self.wait(question)

    def wait(self, queue: SimpleQueue[Message]) -> Message:
        if _thread.get_ident() != self.reader:
            return queue.get()
        self.waits += 1
        self.has_waited = True
        try:
            while queue.empty():
                self.drain()
                self.pump()
        finally:
            self.waits -= 1
        return queue.get()


class _Line:
    """The connection, as one call has it."""

    before_aside: Callable[[], None] | None = None

    def __init__(self, hub: Hub, call: Call) -> None:
        self._hub = hub
        self._call = call
        self.send, self.send_line = hub.send, hub.send_line

    def receive(self) -> Message:
        return self._hub.wait(self._call.heard)

    def receive_nowait(self) -> Message | None:
        try:
            return self._call.heard.get_nowait()
        except Empty:
            return None


class Turn(Server):
    """The server, as one call has it, in a thread of its own."""

    def __init__(self, hub: Hub, call: Call) -> None:
        vars(self).update(vars(hub.server))
        self._hub = hub
        self._of = call
        call.turn = self
        self.speak_by(_Line(hub, call))

    def flush(self) -> None:
        """Send what was yielded."""
        self._streams.flush()

    def _respond(self, number: object, reply: dict[str, object]) -> None:
        self._hub.close(self._of)
        super()._respond(number, reply)

    def _may_ask(self) -> bool:
        return not self._of.is_answered

    def _run_coroutine(self, awaitable: object) -> object:
        return own("_tasks").result_of(self._hub, self._of, awaitable)

    def _iterated(self, generator: object) -> Filling:
        items: Filling = own("_tasks").Iterated(self._hub, self._of, generator)
        return items
