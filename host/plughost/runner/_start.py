"""The runner's start, and the reference of the wire that it speaks.

Started as `python -I -S runner/__main__.py` with the environment's own Python, 3.8 or later. It needs nothing but the standard
library, and it imports nothing of the plugin before the protocol is out of the plugin's reach.

**Streams.** The host writes requests to the child's stdin and reads replies from its stdout: JSON-RPC 2.0, one message a line,
UTF-8. Before any other code runs, the runner moves both to private descriptors that no grandchild inherits, puts the null
device on descriptor 0, and points descriptor 1 at 2. So `print`, `os.write(1, …)`, C code and grandchildren write to stderr,
and `input()` finds the end of the file. Descriptor 3 is the lifeline: the host holds its other end, and the kernel kills the
group when that closes. Descriptor 4 is the lease: a lock on the environment, which nobody deletes while this process lives.

**A message** may carry values that JSON has not. `types` and `frames` beside `params` or `result` say which, as `wire.py` has it;
frames are raw bytes that follow the line, or lie in memory that both have. The child makes that once something large has come,
and says so with a member `memory` in its next message: the number of its descriptor. The host answers with the notification
`memory`, true or false; from then on either may use it.

**Requests** (host → child), each answered by one response with its `id`:

| method | params | result |
|---|---|---|
| `initialize` | `protocol` (1), `project`, `log` (the least level), `concurrency`, `coroutines` | `protocol`, `python`, `pid` |
| `describe` | `entry_points`: name → `module:object` | `tools` and `hooks`, as in the manifest |
| `load` | `targets`: what is to be imported ahead of any call | null |
| `uncompiled` | nothing | the paths of modules that are loaded, and have no bytecode |
| `call` | `target`, `args`, `kwargs`, `convert`, `offered`, `pulled` | the value; of a stream null |
| `wrap` | `target`, `args`, `kwargs`, `offered`, of a hook wrapper | `wrapper`: a number, 0 if it ended without a `yield` |
| `resume` | `wrapper`, `style` (`wrapper`, `hookwrapper`), and what it wraps gave: `result` and `kept`, or `error` | `outcome` |
| `drop` | `wrapper` | nothing; the wrapper was closed |
| `shutdown` | nothing | null; then the process ends |

**Streams of items.** The child sends `items` (`id`, `values`): one item or more of a stream, the first at once, then as they come
within 2 ms or 64 KiB. It is ahead of the reader by no more than 1,024 items, 1 MiB and one item more: to an `items` with `credit`
the host answers by a `credit` (`id`) once its reader has taken those items and all before them. `cancel` (`id`), host → child:
the generator is closed at its `yield`. By an `items` without values the child says that it has heard; then comes the response.

**Arguments that are drawn.** `pulled` names the arguments, by place or name, that are iterators of the caller's. To use one, the
child sends `pull` (`id`, `place`, `items`: how many at most). The host answers by one `given` (`id`, `place`, `values`) or more,
all but the last with `more`. The very last has `end`, or `error` as a callback has it. If the plugin lets that error through, its
own has the place in `data`, as `given`.

**Events**, child → host, while the host waits for an answer: `progress` (`id`, `progress`, `total`, `message`), where a generator
yields such a dict in the place of an item, and counted as one; what the generator returns is then the result, if it has given no
item. `log`: a record of `logging`: `level`, `level_name`, `logger`, `message`, `time` (seconds since 1970), `path`, `line`,
`function`, `thread`, and where there are such `exception` and `stack` (text), `fields` (what the plugin has added) and `printed`
(it stands in the plugin's output, too). Records of the time between two requests come with the later one.

`convert` names the arguments of a call that are to be turned into their annotated types. `offered` says which are functions of
the app's: a place or a name → the name that the app offers it by. With `plainly` in `initialize`, arrays and tables leave as
lists and records, for a host that shows them and has none of their libraries.

**Wrappers** of hooks run up to their `yield`, and stand still while what they wrap runs elsewhere. `kept` names the places in
`result` where an object without a wire form stays in the host, each with its type: `[path, type]`. The `outcome` of going on is
`result` with `value`, and with `given`, the places in it that hold what was given, each with where that was: `[path, path]`;
`same` where it is what the wrapper was given; `exception` with `error`, set on the result of an older wrapper; `raised`, where an
older wrapper raises what it was given; or `yielded` a second time, which the host refuses.

**Callbacks.** While a call runs, the child may ask for a function that the app offers: the request `callback` (`name`, `args`,
`kwargs`), child → host, its `id` a string. Before it is answered, the host may send further requests, whose responses come first.
An `error` of the host's has in `data` the `type`, `builtin`, `message` and, where they are plain, the `args` of the exception.

**Calls side by side.** With a `concurrency` of more than 1 in `initialize`, the host sends up to so many requests without
waiting for answers, and these come in any order. With `coroutines`, the main thread has an event loop for them; all else runs
in threads. What concerns one call has its `id` then: `log` too, `callback` (as `call`), and `output` (`id`, `text`), child →
host, for what is printed by Python in the call's context. `cancel` is for any call: its task is cancelled, or its generator
closed; a plain function goes on. A request that the app makes while a call of its calls back has that call's number as
`within`, and comes beyond the `concurrency`.

**Order.** Else one request at a time, but for callbacks. What the plugin printed through Python is flushed before the response is
sent.

**Errors** are JSON-RPC error objects. The plugin's own have code -32000 and in `data`: `stage` (`import`, `arguments`, `call`,
`result`), `type` (qualified name), `builtin` (the nearest built-in exception type, or null), `message`, `args` (if all of them
are plain), `traceback` (text, the
runner's own frames left out), `causes` (a list of `type` and `message`, nearest first), for `sys.exit` `code`, and the `filename`
of an OSError; of one that is the cause of an entry point that can't be loaded also its `errno`. Other codes
are JSON-RPC's: -32601, -32602, and -32700 with a null `id` for a message that this Python can't read (it is nested too deeply, or
has too long an integer). The process ends after that one, since it can't know where the next message begins.

**Who speaks.** The host numbers its requests from a random number on, and takes a response or an item for no other: a line that
the plugin writes to every descriptor it finds is an error, and no answer. A copy of the process that the plugin forks never
answers: both descriptors are closed in it, and it ends where the runner would have answered, with the status that a script would
have had.

**What the plugin may break.** The runner's modules have built-ins and functions of their own, and what an answer needs is loaded
before the plugin is. A plugin that replaces built-ins or import hooks, changes folders or uses up its descriptors still answers.

**The end.** End of file on stdin, or `shutdown`: exit handlers run, and the process ends with 0. The host waits a moment, then
kills.
"""

from __future__ import annotations

import os
import sys

__all__ = ["start"]


def start() -> None:
    """Take the streams, then serve until the host has no more to ask."""
    if "probe" in sys.argv[1:2]:
        from . import _probe

        _probe.probe(int(sys.argv[2]))
        return
    if "compile" in sys.argv[1:2]:
        from . import _bytecode

        _bytecode.compile_listed()
        return
    if "exec" in sys.argv[1:2]:
        from . import _exec

        _exec.execute()
    try:
        os.set_inheritable(4, False)  # noqa: FBT003 - the lease is this process's, not that of a program it starts
    except OSError:  # started by somebody who gives none
        pass
    is_nursery = "nursery" in sys.argv[1:2]
    plan = _confine(is_nursery=is_nursery) if "--confined" in sys.argv else {}
    if not plan:
        os.closerange(5, 256)  # whatever the host's own parents left open and inheritable
    requests, replies = os.dup(0), os.dup(1)  # dup'ed descriptors are not inheritable (PEP 446)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    # Only now: no code but our own has run up to here.
    from . import _connection, _ending, _serve

    # A clean __main__ for the plugin: multiprocessing would run this file again in each child that it spawns.
    own = sys.modules["__main__"]
    sys.modules["__main__"] = type(sys)("__main__")
    if "--folder" in sys.argv[1:]:
        os.chdir(sys.argv[sys.argv.index("--folder") + 1])
    sys.argv[:] = ["plughost"]
    if is_nursery:
        from . import _nursery

        # Made before the fork, though it has no descriptors then: what is there already costs a child no memory.
        link = _connection.Connection(-1, -1, _ending.leave_fork)
        _serve.serve(
            link,
            enter=_entered_already,
            first=lambda server: link.move(*_nursery.tend(requests, replies, _serve.enter_environment, server, plan.get("fork"))),
        )
        _nursery.leave()
    _serve.serve(_connection.Connection(requests, replies, _ending.leave_fork), enter=_serve.enter_environment)
    _ending.leave_threads()
    del own


def _confine(*, is_nursery: bool) -> dict[str, object]:
    """Carry out the plan, of which the length stands behind `--confined`."""
    from . import _bulk, _bytecode, _confine

    plan = _confine.read_plan(int(sys.argv[sys.argv.index("--confined") + 1]))
    os.closerange(6 if "port" in plan else 5, 256)  # whatever the host's own parents left open and inheritable
    _bytecode.complete(float(str(plan.get("sources", 0.0))))
    if not is_nursery:  # its children would all have the same
        _bulk.make_ahead()
    _confine.confine(plan)
    _make_up(plan)
    return plan


def _make_up(plan: dict[str, object]) -> None:
    """Have what is left do as much as it can, and say what it can't."""
    from . import _stand_ins

    alone, denied = plan.get("alone"), plan.get("denied")
    _stand_ins.stand_in(is_alone=isinstance(alone, list))
    if isinstance(alone, list) and alone:
        from . import _processes

        _processes.explain_processes(*alone)
    if isinstance(denied, list):
        from . import _denied

        _denied.explain_denials(*denied)


def _entered_already() -> None:
    """The nursery has, before it imported the plugin."""
