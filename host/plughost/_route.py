"""The quick way of a call: what most calls are, in as few steps as there can be.

Above it: `Caller` and the hooks that are attached; below it: the workers. A route is made once for each tool or implementation
that is called, and has all that its calls have in common at hand. It takes a call if it is sure of it: values that JSON has, a
plugin that was looked at within the last millisecond, and nothing about the thread that would have to be minded. It leaves all
else to the way that knows everything, and so it does with each reply that is not the plain answer.

Names are local and steps stand in line, because looking a name up, or calling a function, takes as long as most of them.
"""

from __future__ import annotations

import time

from plughost.errors import PluginCrashed, PluginError
from plughost.runner import wire
from plughost.worker import CUSTODY, DEADLINE, IS_POSSIBLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from plughost._workers import Workers
    from plughost.call import Fit
    from plughost.registry import Installed
    from plughost.worker import Exchange, Worker

    Call = Callable[[Sequence[object], Mapping[str, object]], object]

__all__ = ["Stop", "open_route"]

#: For so long what is installed is taken to be as it was: a look at it costs a tenth of a call.
_LOOK_EVERY_NS = 1_000_000
_BULK = wire.BULK_BYTES
_UNREADABLE = (ValueError, StopIteration, SystemError, RecursionError)  # as `wire.unpack` has it


class Stop:
    """Where a route leads: a function in a plugin's process, and what its calls are called in messages and in the journal."""

    __slots__ = ("fit", "found_by", "installed", "label", "noted_as", "target")

    def __init__(
        self, installed: Installed, *, found_by: str, target: str, label: str, noted_as: str, fit: Fit | None = None
    ) -> None:
        """`fit` says which arguments fit; without it pluggy has seen to that."""
        self.installed = installed
        self.found_by = found_by
        self.target = target
        self.label = label
        self.noted_as = noted_as
        self.fit = fit


def _seen_to(_args: Sequence[object], _kwargs: Mapping[str, object]) -> bool:
    return True


def open_route(  # noqa: C901, PLR0915 - see above
    workers: Workers, stop: Stop, *, reopen: Call, slowly: Call, conclude: Callable[[Exchange], object]
) -> Call:
    """A function that calls what is at the `stop`.

    It calls `reopen` once the plugin is another, and `slowly` where it isn't sure of a call. `conclude` takes an answer that is
    not plain: it returns the result, or raises what the plugin has raised.
    """
    if not IS_POSSIBLE:
        return slowly
    installed, pool, key = stop.installed, workers.pool, (stop.installed.name, stop.installed.revision)
    fits = stop.fit.holds if stop.fit is not None else _seen_to
    crew, held, find, found_by = pool.crew(key), pool.held, workers.find, stop.found_by
    take, put = crew.idle.pop, crew.idle.append
    is_limited = pool.limits.calls is not None or pool.limits.memory_bytes is not None
    now_ns, deadline, custody, scan, encode, quoted = (
        time.perf_counter_ns,
        DEADLINE.get,
        CUSTODY.get,
        wire.scan,
        wire.encode,
        wire.quoted,
    )
    head = f',"method":"call","params":{{"target":{encode(stop.target)},"args":'
    looked_ns = 0
    note = workers.journal.writer(installed, stop.noted_as).note

    def call(  # noqa: C901, PLR0911, PLR0912, PLR0915 - see above
        args: Sequence[object], kwargs: Mapping[str, object]
    ) -> object:
        nonlocal looked_ns
        began_ns = now_ns()
        if began_ns - looked_ns > _LOOK_EVERY_NS or crew.is_over:
            if find(found_by) is not installed or crew.is_over:
                return reopen(args, kwargs)
            looked_ns = began_ns
        if (
            deadline() is not None
            or held.stack
            or custody() is not None
            or workers.on_event is not None
            or not fits(args, kwargs)
        ):
            return slowly(args, kwargs)
        try:
            if len(args) == 1 and type(value := args[0]) is str:
                if len(value) >= _BULK:
                    return slowly(args, kwargs)
                text = f"[{quoted(value)}]"
            else:
                text = encode(args)
            if kwargs:
                text = f'{text},"kwargs":{encode(kwargs)}'
            if len(text) >= _BULK and (any(map(wire.has_bulk, args)) or any(map(wire.has_bulk, kwargs.values()))):
                return slowly(args, kwargs)
        except Exception:  # noqa: BLE001 - the other way has the rule for it, or the words
            return slowly(args, kwargs)
        try:
            worker = take()
        except IndexError:
            worker, _ = workers.take(installed)
        else:
            if not worker.alive:
                workers.give_back(installed, worker)
                return slowly(args, kwargs)
            worker.calls += 1
        if worker.watcher is None:
            pool.watch(worker)
        number = worker.next_id
        worker.next_id = number + 1
        try:
            line = f'{{"jsonrpc":"2.0","id":{number}{head}{text}}}}}\n'.encode()
        except UnicodeEncodeError:  # lone surrogates
            workers.give_back(installed, worker)
            return slowly(args, kwargs)
        try:
            chunk = worker.channel.ask(line)
            reply = chunk.decode()
            prefix = f'{{"jsonrpc":"2.0","id":{number},"result":'
            if reply.startswith(prefix):
                result, end = scan(reply, len(prefix))
                if reply[end:] == "}\n":
                    ended_ns = now_ns()
                    if is_limited or not worker.reusable:
                        workers.give_back(installed, worker)
                    else:
                        worker.used_ns = ended_ns
                        put(worker)
                        if pool.waiting or crew.is_over:
                            pool.look_at(worker)
                    note(began_ns, ended_ns, len(line), len(chunk), worker.channel.printed_bytes)
                    return result
        except _UNREADABLE:
            pass
        except BaseException as error:
            worker.cancel()
            workers.journal.note(installed, stop.noted_as, worker, began_ns, b"", error)
            workers.give_back(installed, worker)
            raise
        return follow(worker, number, line, chunk, began_ns, args, kwargs)

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
        if not chunk and not worker.channel.has_read_it():
            worker.kill()  # it had ended before it was asked
            workers.give_back(installed, worker)
            return slowly(args, kwargs)
        worker.channel.sent_bytes = len(line)
        try:
            try:
                result = conclude(worker.follow(number, chunk, what=stop.label))
            except BaseException as error:
                workers.journal.note(installed, stop.noted_as, worker, began_ns, b"", error)
                raise
            workers.journal.note(installed, stop.noted_as, worker, began_ns)
        except (PluginError, PluginCrashed) as error:
            workers.blame_environment(installed, error)
            raise
        finally:
            workers.give_back(installed, worker)
        return result

    return call
