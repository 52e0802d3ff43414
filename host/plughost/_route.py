"""The quick way of a call: what most calls are, in as few steps as there can be.

Above it: `Caller` and the hooks that are attached; below it: the workers. A route is made once for each tool or implementation
that is called, and has all that its calls have in common at hand. It takes a call if it is sure of it: values that JSON has, a
plugin that was looked at within the last millisecond, and nothing about the thread that would have to be minded. It leaves all
else to the way that knows everything, and so it does with each reply that is not the plain answer.

Names are local and steps stand in line, because looking a name up, or calling a function, takes as long as most of them.
"""

from __future__ import annotations

import time

from plughost.call import Fit
from plughost.runner import wire
from plughost.worker import CUSTODY, DEADLINE, IS_POSSIBLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from plughost._workers import Workers
    from plughost.registry import Installed
    from plughost.worker import Exchange, Worker

    Route = Callable[[Sequence[object], Mapping[str, object]], object]
    Composer = Callable[[Sequence[object], Mapping[str, object]], str | None]

__all__ = ["LOOK_EVERY_NS", "NOT_PLAIN", "Stop", "composer", "enclosed", "head_of", "open_route", "plain_result", "stop_at"]

#: For so long what is installed is taken to be as it was: a look at it costs a tenth of a call.
LOOK_EVERY_NS = 1_000_000
#: What `plain_result` gives for a reply that isn't the plain answer.
NOT_PLAIN = object()


_JSON = (str, int, float, list, tuple, dict, type(None))
#: As `wire.unpack` has it, and as a line meets it that tells of no large values.
_UNREADABLE = (ValueError, StopIteration, SystemError, RecursionError, LookupError, TypeError)


class Stop:
    """Where a route leads: a function in a plugin's process, and what its calls are called in messages and in the journal."""

    __slots__ = ("convert", "fit", "found_by", "installed", "label", "noted_as", "target")

    def __init__(
        self,
        installed: Installed,
        *,
        found_by: str,
        target: str,
        label: str,
        noted_as: str,
        fit: Fit | None = None,
        convert: object = None,
    ) -> None:
        """`fit` says which arguments fit; without it pluggy has seen to that. `convert` names those that the child converts."""
        self.installed = installed
        self.found_by = found_by
        self.target = target
        self.label = label
        self.noted_as = noted_as
        self.fit = fit
        self.convert = convert

    def takes(self, value: object) -> bool:
        """Whether a value like this one, given alone and by position, certainly fits."""
        return self.fit is None or self.fit.holds((value,), {})


def stop_at(installed: Installed, tool: Mapping[str, object], *, found_by: str) -> Stop:
    """Where the route to a tool leads, as its entry in the manifest has it."""
    name = str(tool["name"])
    return Stop(
        installed,
        found_by=found_by,
        target=str(tool["target"]),
        label=f"`{installed.name}:{name}`",
        noted_as=name,
        fit=Fit(tool),
        convert=tool.get("convert"),
    )


def head_of(stop: Stop) -> str:
    """What all requests have in common, from the number's end up to the arguments."""
    convert = f'"convert":{wire.encode(stop.convert)},' if stop.convert else ""
    return f',"method":"call","params":{{"target":{wire.encode(stop.target)},{convert}"args":'


def composer(stop: Stop) -> Composer:
    """A function that makes a request of arguments, from its number's end on.

    It gives None where it isn't sure that they fit, and nothing where they are more than JSON, or more than a line should hold.
    """
    fits = None if stop.fit is None else stop.fit.holds
    encode, quoted, bulk = wire.encode, wire.quoted, wire.BULK_BYTES
    head = head_of(stop)
    foreign: type = bytes  # the class, seen last, of an argument that JSON has no form for

    def compose(args: Sequence[object], kwargs: Mapping[str, object]) -> str | None:  # noqa: PLR0911 - see above
        nonlocal foreign
        if fits is not None and not fits(args, kwargs):
            return None
        value = args[0] if len(args) == 1 and not kwargs else None
        if type(value) is bytes or type(value) is foreign:
            return ""
        try:
            if kwargs:
                for value in kwargs.values():
                    if type(value) is bytes or (type(value) is str and len(value) >= bulk):
                        return ""
                text = f'{encode(args) if args else "[]"},"kwargs":{encode(kwargs)}'
            elif type(value) is str:
                return f"{head}[{quoted(value)}]}}}}\n" if len(value) < bulk else ""
            else:
                text = encode(args)
            if len(text) >= bulk and (any(map(wire.has_bulk, args)) or any(map(wire.has_bulk, kwargs.values()))):
                return ""
        except Exception:  # noqa: BLE001 - the other ways have the rule for it, or the words
            foreign = foreign if issubclass(type(value), _JSON) else type(value)
            return ""
        return f"{head}{text}}}}}\n"

    return compose


def enclosed(worker: Worker, head: str, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
    """A request whose large values lie in the memory that the worker shares with us; nothing, where that can't be."""
    try:
        return head + worker.channel.bulk.enclose_call(args, kwargs)
    except Exception:  # noqa: BLE001 - as above
        return ""


def plain_result(chunk: bytes, number: int, worker: Worker) -> object:
    """The result, if what was read is the plain answer to a request and nothing else; else `NOT_PLAIN`."""
    prefix = f'{{"jsonrpc":"2.0","id":{number},"result":'
    try:
        reply = chunk.decode()
        if not reply.startswith(prefix):
            return NOT_PLAIN
        result, end = wire.scan(reply, len(prefix))
        rest = reply[end:]
        return result if rest == "}\n" else worker.channel.bulk.disclose(result, rest)
    except _UNREADABLE:
        return NOT_PLAIN


def open_route(  # noqa: C901, PLR0915 - see above
    workers: Workers, stop: Stop, *, reopen: Route, slowly: Route, conclude: Callable[[Exchange], object]
) -> Route:
    """A function that calls what is at the `stop`.

    It calls `reopen` once the plugin is another, and `slowly` where it isn't sure of a call. `conclude` takes an answer that is
    not plain: it returns the result, or raises what the plugin has raised.
    """
    if not IS_POSSIBLE:
        return slowly
    installed, pool, compose, not_plain = stop.installed, workers.pool, composer(stop), NOT_PLAIN
    look_every_ns = LOOK_EVERY_NS
    find, found_by, held, deadline, custody, now_ns = (
        workers.find,
        stop.found_by,
        pool.held,
        DEADLINE.get,
        CUSTODY.get,
        time.perf_counter_ns,
    )
    crew = pool.crew((installed.name, installed.revision))
    take, put = crew.idle.pop, crew.idle.append
    is_limited = pool.is_limited
    head, takes_text, takes_bytes = head_of(stop), stop.takes(""), stop.takes(b"")
    scan, quoted, bulk = wire.scan, wire.quoted, wire.BULK_BYTES
    note = workers.journal.writer(installed, stop.noted_as).note
    looked_ns = 0

    def call(  # noqa: C901, PLR0911, PLR0912, PLR0915 - see above
        args: Sequence[object], kwargs: Mapping[str, object]
    ) -> object:
        nonlocal looked_ns
        began_ns = now_ns()
        if began_ns - looked_ns > look_every_ns or crew.is_over:
            if find(found_by) is not installed or crew.is_over:
                return reopen(args, kwargs)
            looked_ns = began_ns
        alone = args[0] if len(args) == 1 and not kwargs else None
        if type(alone) is str and takes_text:
            request: str | None = f"{head}[{quoted(alone)}]}}}}\n" if len(alone) < bulk else ""
        elif type(alone) is bytes and takes_bytes:
            request = ""
        else:
            request = compose(args, kwargs)
        if request is None or deadline() is not None or held.stack or custody() is not None or workers.on_event is not None:
            return slowly(args, kwargs)
        try:
            worker = take()
        except IndexError:
            worker = workers.take(installed)[0]
            pool.watch(worker)
        else:
            worker.calls += 1
            if worker.watcher is None:
                return slowly_instead_of(worker, args, kwargs)
        if not request:
            request = enclosed(worker, head, args, kwargs)
            if not request:
                return slowly_instead_of(worker, args, kwargs)
        number = worker.next_id
        worker.next_id = number + 1
        try:
            line = f'{{"jsonrpc":"2.0","id":{number}{request}'.encode()
            chunk = worker.channel.ask(line)
        except UnicodeEncodeError:  # lone surrogates
            return slowly_instead_of(worker, args, kwargs)
        except BaseException as error:
            worker.cancel()
            workers.journal.note(installed, stop.noted_as, worker, began_ns, b"", error)
            workers.give_back(installed, worker)
            raise
        try:
            prefix = f'{{"jsonrpc":"2.0","id":{number},"result":'
            reply = chunk.decode()
            result, end = scan(reply, len(prefix)) if reply.startswith(prefix) else (not_plain, 0)
            rest = reply[end:]
            if rest != "}\n" and result is not not_plain:
                result = worker.channel.bulk.disclose(result, rest)
        except _UNREADABLE:
            result = not_plain
        if result is not_plain:
            return follow(worker, number, line, chunk, began_ns, args, kwargs)
        ended_ns = now_ns()
        printed = worker.channel.take_printed() if worker.channel.printed_bytes else 0
        if is_limited or not worker.reusable:
            workers.give_back(installed, worker)
        else:
            worker.used_ns = ended_ns
            put(worker)
            if pool.waiting or crew.is_over:
                pool.look_at(worker)
        note(began_ns, ended_ns, len(line), len(chunk), printed)
        return result

    def slowly_instead_of(worker: Worker, args: Sequence[object], kwargs: Mapping[str, object]) -> object:
        """By the other way, after all; nothing was asked of the worker."""
        workers.give_back(installed, worker)
        return slowly(args, kwargs)

    def follow(
        worker: Worker,
        number: int,
        line: bytes,
        chunk: bytes,
        began_ns: int,
        args: Sequence[object],
        kwargs: Mapping[str, object],
    ) -> object:
        """What `call` goes on with where the first words that came aren't the plain answer."""
        if worker.channel.is_unheard(chunk):
            worker.kill()  # it had ended before it was asked
            return slowly_instead_of(worker, args, kwargs)
        worker.channel.sent_bytes = len(line)
        try:
            with workers.blaming(installed), workers.recorded(installed, worker, stop.noted_as, began_ns):
                return conclude(worker.follow(number, chunk, what=stop.label))
        finally:
            workers.give_back(installed, worker)

    return call
