"""A nursery: the process that has imported the plugin, and forks a worker for each call. It runs nothing of the plugin but that.

Above it: `_start`, which starts it where its argument is `nursery`, and goes on in each child as in any worker; below it: the
kernel. Its stdin is a Unix socket. It answers these requests, each a line of JSON as `_start` has it:

| method | params | result |
|---|---|---|
| `initialize` | as of a worker | null; its children need not be asked |
| `nurse` | `modules`: those to import; `targets`: what will be called | `fork`: why it can't be done, or the empty text |
| `fork` | `family`; and along with the line four descriptors: requests, replies, stderr, lifeline | the child's pid |
| `reap` | `pids` | of each its exit code, negative for a signal, and the most KiB it has had; null while it runs |
| `shutdown` | nothing | null; then the process ends |

A child that has ended keeps its number until it is reaped: the host can watch and signal it, and never meets another process.
What it left in its process group is killed then.
"""

from __future__ import annotations

import _socket
import atexit
import fcntl
import gc
import importlib
import os
import sys

from . import _ending, _forkable, _load, _narrow, _printed, framing, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ._serve import Server

    Params = dict[str, object]

__all__ = ["leave", "tend"]

_NEEDED_LATER = (_load,)  # by every child: imported once, here
_SIGKILL = 9
_READ_BYTES = 1 << 12  # requests are short
_DESCRIPTORS = 4  # that come with a fork
_LIFELINE = 3
#: Below it are the standard streams, the lifeline and the lease.
_FIRST_FREE = 5
_FAMILY_MARK = "PLUGHOST_FAMILY"
_FAILED = -32000


def tend(requests: int, replies: int, enter: Callable[[], None], server: Server, narrowing: object = None) -> tuple[int, int]:
    """Serve the host; returns in a child alone, with its own two descriptors in the place of those given. Else it ends here.

    `server` answers in the children, and is made ready here, as far as that is the same for all of them. `narrowing` is what a
    child of a confined nursery takes from itself besides, see `_confine`.
    """
    nursery = _Nursery(requests, replies, enter, server, narrowing)
    while True:
        message = nursery.receive()
        method, params = message.get("method"), message.get("params")
        answer: dict[str, object] = {"jsonrpc": "2.0", "id": message.get("id")}
        try:
            result = nursery.do(str(method), params if isinstance(params, dict) else {})
        except Exception as error:  # noqa: BLE001 - no process, descriptor or memory left, or the plugin has replaced what we use
            answer["error"] = {"code": _FAILED, "message": str(error), "data": {"errno": getattr(error, "errno", 0)}}
        else:
            if isinstance(result, tuple):
                return result
            answer["result"] = result
        nursery.send(answer)
        if method == "shutdown":
            leave()


def leave() -> None:
    """End the process: exit handlers run, and the interpreter is not taken apart, which takes longer the more is imported."""
    _ending.leave_threads()
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no public way
    _printed.flush()
    os._exit(0)


class _Nursery:
    def __init__(self, requests: int, replies: int, enter: Callable[[], None], server: Server, narrowing: object) -> None:
        self._narrowing = _narrow.Narrowing(narrowing) if isinstance(narrowing, dict) else None
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, requests)
        self._replies = replies
        self._enter = enter
        self._server = server
        self._greeting: Params = {}
        self._assembler = framing.Assembler()
        self._descriptors: list[int] = []  # that have come along
        self._mark_at = _find_mark()
        os.register_at_fork(after_in_child=self._let_go)

    def receive(self) -> dict[str, object]:
        """The next request; where none will come, the process ends."""
        while True:
            message = self._assembler.next()
            if message is not None:
                return message
            room = _socket.CMSG_SPACE(_DESCRIPTORS * 4)
            chunk, ancillary, _, _ = self._socket.recvmsg(_READ_BYTES, room, _socket.MSG_CMSG_CLOEXEC)
            for level, kind, packed in ancillary:
                if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
                    self._descriptors += memoryview(packed).cast("i").tolist()
            if not chunk:
                leave()
            self._assembler.feed(chunk)

    def send(self, answer: dict[str, object]) -> None:
        result = answer.get("result")
        if type(result) is int:  # a fork's: what runs from here on touches memory that the child then has a copy of
            line = '{{"jsonrpc":"2.0","id":{},"result":{}}}\n'.format(answer["id"], result).encode()
        else:
            line = b"".join(wire.pack(answer))
        while line:
            line = line[os.write(self._replies, line) :]

    def do(self, method: str, params: Params) -> object:
        """The result; in a child, its two descriptors."""
        if method == "initialize":
            self._greeting = params
        if method == "nurse":
            modules, targets = params["modules"], params["targets"]
            assert isinstance(modules, list)
            assert isinstance(targets, list)
            return {"fork": self._import(modules) or self._prepare(targets)}
        if method == "fork":
            return self._fork(str(params["family"]))
        if method == "reap":
            pids = params["pids"]
            assert isinstance(pids, list)
            return [_reap(pid) for pid in pids]
        return None

    def _import(self, modules: Iterable[str]) -> str:
        """Have the plugin as its calls are to find it; why that can't be, if it can't."""
        self._enter()
        app = type(sys)("plughost_app")
        vars(app)["__getattr__"] = _app_function
        sys.modules["plughost_app"] = app
        for module in modules:
            try:
                importlib.import_module(module)
            except BaseException as error:  # noqa: BLE001 - `sys.exit` is one; a worker of its own tells the caller
                return "of no use: `{}` can't be imported: {}".format(module, type(error).__name__)
        if "logging" in sys.modules:
            importlib.import_module("plughost_runner._logs")  # for every child, too
        _printed.flush()
        return _forkable.why_unsafe()

    def _prepare(self, targets: Iterable[str]) -> str:
        """Have all done that each child would do by itself."""
        self._server.introduce(self._greeting)
        for target in targets:
            if _is_function(target):
                self._server.learn(target)
        # What is alive now lives as long as this process: a collection in a child would copy its pages for nothing.
        gc.collect()
        gc.freeze()
        _stand_back()
        return ""

    def _fork(self, family: str) -> object:
        descriptors, self._descriptors = self._descriptors[:_DESCRIPTORS], self._descriptors[_DESCRIPTORS:]
        try:
            if len(descriptors) < _DESCRIPTORS:
                raise OSError(24, "too many open files")  # noqa: TRY301 - as the kernel would have it
            _prepare(family)
            if self._narrowing is not None:
                self._narrowing.prepare(family)
            pid = os.fork()
            if pid == 0:
                return self._begin(family.encode(), *descriptors)
            if self._narrowing is not None:
                self._narrowing.finish()
        except BaseException:
            for fd in descriptors:
                os.close(fd)
            raise
        for fd in descriptors:
            os.close(fd)
        return pid

    def _begin(self, family: bytes, requests: int, replies: int, printed: int, lifeline: int) -> tuple[int, int]:
        """In the child: be the worker that the host expects."""
        try:
            os.setsid()
            _step_forward()
            requests, replies, printed, lifeline = map(_raised, (requests, replies, printed, lifeline))
            os.dup2(printed, 2)
            os.dup2(2, 1)
            os.dup2(lifeline, _LIFELINE)
            os.close(printed)
            os.close(lifeline)
            _tie()
            self._bear(family)
            _drop_exit_handlers()
            if self._narrowing is not None:
                self._narrowing.apply()
        except BaseException:  # noqa: BLE001 - there is one nursery, and this is not it
            sys.excepthook(*sys.exc_info())
            os._exit(70)
        return requests, replies

    def _bear(self, family: bytes) -> None:
        """Have a mark of one's own, by which the host finds what this process starts, and nothing that another one started.

        Programs inherit it by the variable; copies of this process inherit what the kernel shows of its environment, and that is
        memory like any other.
        """
        if self._mark_at:
            try:
                memory = os.open("/proc/self/mem", os.O_RDWR | os.O_CLOEXEC)
                os.pwrite(memory, family, self._mark_at)
                os.close(memory)
            except OSError:
                pass

    def _let_go(self) -> None:
        """In any copy of the process, also one that the plugin's import forks: the conversation is the original's alone."""
        if self._replies >= 0:
            os.close(self._socket.detach())
            os.close(self._replies)
            self._replies = -1


def _app_function(name: str) -> object:
    """A function of the app's for a plugin that imports it before there is a call: found when it is called."""
    if name.startswith("__"):
        raise AttributeError(name)

    def function(*args: object, **kwargs: object) -> object:
        return getattr(sys.modules["plughost_app"], name)(*args, **kwargs)

    function.__name__ = function.__qualname__ = name
    return function


def _is_function(target: str) -> bool:
    """Whether the target is a function of a module's that is imported: to look it up runs nothing of the plugin."""
    module, _, name = target.partition(":")
    return type(vars(sys.modules.get(module, os)).get(name)) is type(_is_function)


def _reap(pid: int) -> object:
    try:
        # Left unreaped for a moment, so that its number can't be another group's when the rest of the group is killed.
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            return None
        try:
            os.killpg(pid, _SIGKILL)
        except ProcessLookupError:
            pass
        _, status, usage = os.wait4(pid, 0)
    except ChildProcessError:  # the plugin ignores SIGCHLD, or has waited for all children: the code is lost, the end is not
        return [0, 0]
    return [-os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status), usage.ru_maxrss]


def _stand_back() -> None:
    """Have a fork ahead not take the processor from the call that it is not for."""
    try:
        if os.sched_getscheduler(0) == os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    except (AttributeError, OSError):  # a platform without, or a sandbox that forbids it
        pass


def _step_forward() -> None:
    """In the child: be scheduled like any other process again."""
    try:
        if os.sched_getscheduler(0) == os.SCHED_BATCH:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    except (AttributeError, OSError):
        pass


def _prepare(family: str) -> None:
    """Before a fork: what the child is to find as no other has, since in the child it would cost memory of its own.

    Python seeds its generator anew in each copy of a process, and numpy doesn't.
    """
    os.environ[_FAMILY_MARK] = family
    generators = sys.modules.get("numpy.random")
    if generators is not None:
        generators.seed()


# In the child.


def _raised(descriptor: int) -> int:
    """The descriptor, or in its place one above those with a meaning, which the plugin's import may have closed."""
    if descriptor >= _FIRST_FREE:
        return descriptor
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE)
    os.close(descriptor)
    return moved


def _tie() -> None:
    """Have the kernel kill this group when the host's end of the lifeline closes. If it has closed, so have the requests."""
    fcntl.fcntl(_LIFELINE, fcntl.F_SETOWN, -os.getpid())
    fcntl.fcntl(_LIFELINE, getattr(fcntl, "F_SETSIG", 10), _SIGKILL)
    fcntl.fcntl(_LIFELINE, fcntl.F_SETFL, fcntl.fcntl(_LIFELINE, fcntl.F_GETFL) | os.O_ASYNC)


def _find_mark() -> int:
    """Where in memory the family's mark in the environment stands that this process was started with; 0 if that can't be told."""
    mark = "{}={}".format(_FAMILY_MARK, os.environ.get(_FAMILY_MARK, "")).encode()
    try:
        with open("/proc/self/stat", "rb") as file:
            begin, end = map(int, file.read().rpartition(b")")[2].split()[47:49])
        with open("/proc/self/mem", "rb", buffering=0) as memory:
            memory.seek(begin)
            found = (b"\0" + memory.read(end - begin)).find(b"\0" + mark + b"\0")
    except (OSError, ValueError, OverflowError):
        return 0
    return begin + found + len(_FAMILY_MARK) + 1 if found >= 0 else 0


def _drop_exit_handlers() -> None:
    """Those that the import has registered are the nursery's, as `multiprocessing` has it; but what was logged is flushed."""
    atexit._clear()  # noqa: SLF001 - there is no public way
    logging = sys.modules.get("logging")
    if logging is not None:
        atexit.register(logging.shutdown)
