"""The one module that starts a process, waits for it, and ends it with all that it started.

Above it: uv, pip, git and the workers; below it: `_kernel`. It knows nothing of what runs in the child.

Every child leads a session and a process group of its own, without a terminal, and holds the read end of a pipe, its *lifeline*,
whose write end only this process has. When this process ends, however it ends, the kernel sends SIGKILL to the group (Linux:
`F_SETSIG`), with no help from the child: a busy child, or one that holds the GIL in C, goes too. All children share one pipe, and
each has an open file description of its own for it, to which its group's number belongs. `posix_spawn` rather than `subprocess`:
a third of the import time, and no fork of a host that may be large or threaded.
"""

from __future__ import annotations

import _thread
import errno
import os
import select
import sys
import time

from plughost._kernel import (
    FAMILY_MARK,
    LINUX,
    await_ends,
    may_have_left_some,
    members,
    open_pidfd,
    peak_memory,
    signal,
    signal_group,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Protocol

    class Owned(Protocol):
        """What belongs to this process, and must be let go of in a forked copy of it."""

        def forget(self) -> None: ...

    class Wrapper(Protocol):
        """A program that another one is started through, one start at a time.

        `open` gives what is started instead of `argv`, and descriptors that this needs. `settle` lets go of these, and gives the
        number of the process that `argv` is, unless that is the one which was started.
        """

        def open(self, argv: Sequence[str], env: Mapping[str, str], /) -> tuple[Sequence[str], Sequence[int]]: ...
        def settle(self) -> int | None: ...


__all__ = [
    "Child",
    "Completed",
    "base_environment",
    "detach",
    "disown",
    "find_program",
    "own",
    "own_python",
    "peak_memory",
    "run",
    "spawn",
]

# Numbers, not the `signal` module: that one imports `enum`, which takes longer than starting the child does.
SIGINT, SIGKILL, SIGPIPE, SIGTERM = 2, 9, 13, 15
SIGSTOP, SIGCONT = (19, 18) if LINUX else (17, 19)

#: Names (and prefixes, with a star) that a child may have from our environment. None of them carries a secret: proxies, which
#: may hold a password, and everything else that a tool needs are added by whoever starts that tool.
PASSED_ON = (
    "HOME",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "LOGNAME",
    "PATH",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
)

_BY_SIGNAL = 128  # above it, the exit code of a shell tells of a signal
_LIFELINE = 3  # the descriptor's number in the child, unless that is to be kept
_HELD = 4  # the number of what the child only holds
_LINK = 5  # the number of what it is to answer by once
_HIGH = 900  # of the 1,024 descriptors that a process has as a rule
_FOREVER = float("inf")
_READ_BYTES = 1 << 16
_KEPT_BYTES = 1 << 25  # of what a program prints: more than any tool has to say
#: SIGKILL needs no more than this, but in a process that the kernel itself holds up (a dead network file system).
GONE_WITHIN_S = 1.0

#: Of the process, and not of a `Host`, since a fork copies all of it. A copy that kept the lifelines open, a worker of
#: `multiprocessing` perhaps, would keep our children alive after our end.
_owned: set[Owned] = set()
#: Held while a child is started, so that no fork in another thread copies a lifeline that isn't owned yet.
_starting = _thread.RLock()
#: The ends of the lifeline that children share; empty until there is a child. They are left to the end of this process.
_shared_ends: list[int] = []


def own(thing: Owned) -> None:
    """Have `thing.forget` called in each forked copy of this process, until `disown`."""
    _owned.add(thing)


def disown(thing: Owned) -> None:
    _owned.discard(thing)


def _forget_all() -> None:
    _starting.release()
    while _shared_ends:
        os.close(_shared_ends.pop())
    for thing in list(_owned):
        thing.forget()


os.register_at_fork(before=_starting.acquire, after_in_parent=_starting.release, after_in_child=_forget_all)


class Completed:
    """How a program ended: its exit code (negative: the signal that killed it) and what it printed."""

    __slots__ = ("argv", "returncode", "stderr", "stdout")

    def __init__(self, argv: Sequence[str], returncode: int, stdout: bytes, stderr: bytes) -> None:
        self.argv = tuple(argv)
        self.returncode = returncode
        self.stdout = stdout.decode("utf-8", "replace")
        self.stderr = stderr.decode("utf-8", "replace")


class Child:
    """A process that this one started. The descriptors are the caller's to close."""

    __slots__ = ("_leader", "_lifeline", "_pidfd", "family", "is_measured", "peak_bytes", "pid", "returncode", "wants_code")

    def __init__(self, pid: int, *, lifeline: int, family: str) -> None:
        self.pid = pid
        #: Whom this process waits for, and whose number the group has.
        self._leader = pid
        #: Whether the kernel is asked for the most memory that it has needed, once it has ended; that takes a millisecond.
        self.is_measured = False
        #: Whether somebody will ask for the exit code, and not only whether it has ended.
        self.wants_code = True
        self.peak_bytes = 0
        self.returncode: int | None = None
        self._lifeline = lifeline
        self.family = family
        self._pidfd = open_pidfd(pid)  # where there is none, `wait` falls back to asking
        own(self)

    def stand_before(self, wrapper: Wrapper) -> None:
        """Have this mean the process that the wrapper has started in its group, and only waits for."""
        try:
            pid = wrapper.settle()
        except BaseException:
            self.kill_tree()
            raise
        if pid is not None:
            if self._pidfd >= 0:
                os.close(self._pidfd)
            self.pid, self._pidfd = pid, open_pidfd(pid)

    def wait(self, timeout_s: float | None = None) -> int | None:
        """The exit code, negative for a signal; None if the child still runs after `timeout_s`.

        Reaps the child, and kills what it left in its process group.
        """
        if self.returncode is not None:
            return self.returncode
        if self._pidfd >= 0:
            poller = select.poll()
            poller.register(self._pidfd, select.POLLIN)
            if not poller.poll(None if timeout_s is None else max(0, timeout_s * 1000)):
                return None
            return self._reap(0)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while self._reap(os.WNOHANG) is None:
            if deadline is not None and time.monotonic() >= deadline:
                return None
            time.sleep(0.005)
        return self.returncode

    def exit_descriptor(self) -> int:
        """A descriptor that turns readable when the child ends; -1 where the platform has none."""
        return self._pidfd

    def cancel(self) -> None:
        """Have the child end what it does, as by Ctrl-C: SIGINT, to it alone."""
        if self.returncode is None:
            signal(self.pid, SIGINT)

    def interrupt(self) -> None:
        """Kill the child and its process group, and leave the rest to the thread that waits for it."""
        if self.returncode is None:
            signal_group(self._leader, SIGKILL)

    def halt(self) -> None:
        """Stop the child and its process group, until `resume`."""
        if self.returncode is None:
            signal_group(self._leader, SIGSTOP)

    def resume(self) -> None:
        if self.returncode is None:
            signal_group(self._leader, SIGCONT)

    def kill_tree(self) -> None:
        """Kill the child and everything it started, also what has left its process group, and see them gone."""
        if self.returncode is None:
            # Stopped first, so that the family can't grow while it is being listed.
            signal_group(self._leader, SIGSTOP)
        family = members(self._leader if self.returncode is None else -1, self.family)
        watched = [open_pidfd(pid) for pid in family]
        for pid in family:
            signal(pid, SIGKILL)
        if self.returncode is None:
            signal_group(self._leader, SIGKILL)
            signal(self._leader, SIGKILL)
            self.wait()
        await_ends([fd for fd in watched if fd >= 0], GONE_WITHIN_S)
        self.close()

    def may_have_left_some(self, started_s: float) -> bool:
        """Whether something of the child's may live on that has left its group, once the child has ended.

        `started_s` is a `time.monotonic()` from before the child was started.
        """
        return may_have_left_some(self.pid, self.family, started_s)

    def close(self) -> None:
        for fd in (self._pidfd, self._lifeline):
            if fd >= 0:
                os.close(fd)
        self._pidfd = self._lifeline = -1
        disown(self)

    def tie(self) -> None:
        """Have the child's group end with this process, whatever the child does to the descriptor of the lifeline that it has."""
        if LINUX and self._lifeline < 0:
            self._lifeline, _ = new_lifeline()
            _tie(self._lifeline, self._leader)

    def forget(self) -> None:
        """In a forked copy of this process: what is done to the child is the original's business."""
        self.close()

    def _reap(self, options: int) -> int | None:
        try:
            if hasattr(os, "waitid"):
                # Left unreaped for a moment, so that its number can't be another group's when the rest of the group is killed.
                if os.waitid(os.P_PID, self._leader, os.WEXITED | os.WNOWAIT | options) is None:
                    return None
                signal_group(self._leader, SIGKILL)
            pid, status = self._wait(options)
        except ChildProcessError:  # the host app ignores SIGCHLD or reaps for us: the code is lost, the end is not
            self.returncode = 0
            return 0
        if pid == 0:
            return None
        code = os.waitstatus_to_exitcode(status)
        # Who stands before another one can only say as a shell does that a signal has ended it.
        self.returncode = code if self.pid == self._leader or code <= _BY_SIGNAL else _BY_SIGNAL - code
        return self.returncode

    def _wait(self, options: int) -> tuple[int, int]:
        if not self.is_measured:
            return os.waitpid(self._leader, options)
        pid, status, usage = os.wait4(self._leader, options)
        peak_bytes = usage.ru_maxrss * (1024 if LINUX else 1)
        # Until its exec, a child that was spawned has our memory, and that counts: only what is more is its own for sure.
        self.peak_bytes = peak_bytes if peak_bytes > peak_memory() else 0
        return pid, status


def base_environment(extra: Mapping[str, str] | None = None, *, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What a child has of `environment`: the allow-list `PASSED_ON`; and `extra` over it."""
    exact = {name for name in PASSED_ON if not name.endswith("*")}
    prefixes = tuple(name[:-1] for name in PASSED_ON if name.endswith("*"))
    passed = {name: value for name, value in environment.items() if name in exact or name.startswith(prefixes)}
    passed.update(extra or {})
    return passed


def find_program(name: str) -> str | None:
    """The absolute path of `name` on PATH; no version manager's shim, which is slow and may be another version."""
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if os.path.isabs(folder) and os.path.basename(folder.rstrip("/")) != "shims":
            candidate = os.path.join(folder, name)
            if os.access(candidate, os.X_OK) and os.path.isfile(candidate):
                return candidate
    return None


def own_python() -> str:
    """The path of the Python that runs this, and not of the virtual environment that it runs in."""
    return os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    keep: Iterable[int] = (),
    held: int | None = None,
    link: int | None = None,
    is_deaf: bool = False,
    is_hostile: bool = False,
    wrapper: Wrapper | None = None,
) -> Child:
    """Start `argv` (its first item an absolute path) with exactly `env` and these descriptors; None is the null device.

    `keep` are further descriptors that stay open in the child under the same number, such as a lock that must outlive us. `held`
    is one that the child has as number 4: a lock that it holds instead of us; `link` as number 5. One that `is_deaf` hears no
    SIGINT before it asks for that: while it starts, nothing of it could be ended in good order. One that `is_hostile` may try to
    untie itself from its lifeline: it is tied by a descriptor of ours, too. With a `wrapper`, `argv` is started through that.

    Raises: OSError: the program can't be started.
    """
    with _starting:
        numbered = {_HELD: held, _LINK: link}
        command, needed = (argv, ()) if wrapper is None else wrapper.open(argv, env)
        streams = ((0, stdin), (1, stdout), (2, stderr))
        try:
            child = _spawn(command, env, streams, (*keep, *needed), numbered, [SIGINT] if is_deaf else [])
        except BaseException:
            if wrapper is not None:
                wrapper.settle()
            raise
        if wrapper is not None:
            child.stand_before(wrapper)
    if is_hostile:
        child.tie()
    return child


def _spawn(
    argv: Sequence[str],
    env: Mapping[str, str],
    streams: Iterable[tuple[int, int | None]],
    keep: tuple[int, ...],
    numbered: Mapping[int, int | None],
    blocked: list[int],
) -> Child:
    lifeline, ours = new_lifeline()
    family = os.urandom(8).hex()
    actions: list[tuple[int, int, int] | tuple[int, int, str, int, int]] = []
    for target, source in streams:
        if source is None:
            actions.append((os.POSIX_SPAWN_OPEN, target, os.devnull, os.O_RDWR, 0))
        else:
            actions.append((os.POSIX_SPAWN_DUP2, source, target))
    # A kept descriptor may have any number: a process with nothing else open has its first lock at 3.
    number = min({_LIFELINE, *(fd + 1 for fd in keep)} - set(keep))
    actions.append((os.POSIX_SPAWN_DUP2, lifeline, number))
    actions.extend((os.POSIX_SPAWN_DUP2, fd, target) for target, fd in numbered.items() if fd is not None)
    actions.extend((os.POSIX_SPAWN_DUP2, fd, fd) for fd in keep)
    try:
        pid = os.posix_spawn(
            argv[0],
            list(argv),
            {**env, FAMILY_MARK: family},
            file_actions=actions,
            # A group of its own, and no terminal: who asked for a password there would be stopped, and waited for without end.
            setsid=True,
            # Python ignores SIGPIPE, and an ignored signal stays ignored across exec.
            setsigdef=[SIGPIPE, SIGINT, SIGTERM],
            setsigmask=blocked,
        )
        if LINUX:
            _tie(lifeline, pid)
    except BaseException:
        if ours >= 0:
            os.close(ours)
        raise
    finally:
        os.close(lifeline)
    return Child(pid, lifeline=ours, family=family)


def detach(argv: Sequence[str], *, env: Mapping[str, str], stdout: int) -> None:
    """Start `argv` as nobody's child: it leads a session of its own and lives on when we end. `stdout` is all that it gets.

    Raises: OSError: the program can't be started.
    """
    others = [(os.POSIX_SPAWN_OPEN, target, os.devnull, os.O_RDWR, 0) for target in (0, 2)]
    os.posix_spawn(
        argv[0],
        list(argv),
        dict(env),
        file_actions=[*others, (os.POSIX_SPAWN_DUP2, stdout, 1)],
        setsid=True,
        setsigdef=[SIGPIPE, SIGINT, SIGTERM],
        setsigmask=[],
    )


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    input: bytes = b"",  # noqa: A002 - subprocess.run's name for it
    timeout_s: float | None = None,
    keep: Iterable[int] = (),
    is_hostile: bool = False,
    wrapper: Wrapper | None = None,
    watch: Callable[[Child], float] | None = None,
) -> Completed:
    """Run `argv` to its end and keep what it prints; on a timeout, an interrupt or any error its whole tree is killed.

    `watch` is called now and then while the program runs, and says in how many seconds it wants to be called again.
    It ends when the program does, even where a grandchild holds the pipes open. Of what is printed without end, the last is kept.

    Raises: TimeoutError: `timeout_s` seconds have passed. OSError: the program can't be started.
    """
    child_in, our_in = pipe() if input else (None, None)
    our_out, child_out = pipe()
    our_err, child_err = pipe()
    try:
        child = spawn(
            argv,
            env=env,
            stdin=child_in,
            stdout=child_out,
            stderr=child_err,
            keep=keep,
            is_hostile=is_hostile,
            wrapper=wrapper,
        )
    except BaseException:
        for fd in (our_in, our_out, our_err):
            if fd is not None:
                os.close(fd)
        raise
    finally:
        for fd in (child_in, child_out, child_err):
            if fd is not None:
                os.close(fd)
    try:
        stdout, stderr = _converse(child, input, our_in, our_out, our_err, timeout_s, watch)
        returncode = child.wait()
        child.close()
    except BaseException:
        child.kill_tree()
        raise
    assert returncode is not None
    return Completed(argv, returncode, stdout, stderr)


def pipe() -> tuple[int, int]:
    """A pipe whose ends are above the standard descriptors, also where the host has closed some of those."""
    ours, theirs = os.pipe()
    return raised(ours), raised(theirs)


def raised(descriptor: int) -> int:
    """The descriptor, or in its place one above those that a child has by number."""
    if descriptor > _LINK:
        return descriptor
    import fcntl

    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 16)
    os.close(descriptor)
    return moved


def new_lifeline() -> tuple[int, int]:
    """The end for one child, and ours; -1 where that is the one for all children.

    F_SETOWN belongs to an open file description, so each child needs one of its own: the kernel makes it where a pipe is opened.
    """
    if LINUX:
        if not _shared_ends:
            ours, theirs = pipe()
            _shared_ends.extend((ours, _high(theirs)))
        try:
            return raised(os.open(f"/proc/self/fd/{_shared_ends[0]}", os.O_RDONLY | os.O_NONBLOCK)), -1
        except OSError:  # no /proc here, or no descriptor left
            pass
    return pipe()


def _high(descriptor: int) -> int:
    """The descriptor, at a number above most: when this process ends, what has a lower one is let go of after it."""
    import fcntl

    try:
        moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    except OSError:  # there may be fewer
        return descriptor
    os.close(descriptor)
    return moved


def _converse(  # noqa: C901 - one loop over four descriptors; cut up, its state would have to be carried around
    child: Child,
    data: bytes,
    stdin: int | None,
    stdout: int,
    stderr: int,
    timeout_s: float | None,
    watch: Callable[[Child], float] | None,
) -> tuple[bytes, bytes]:
    """Feed `data` and read both outputs until the child has ended and what it printed is read. Closes the descriptors."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    chunks: dict[int, bytearray] = {stdout: bytearray(), stderr: bytearray()}
    open_fds = {fd for fd in (stdin, stdout, stderr) if fd is not None}
    poller = select.poll()
    for fd in open_fds:
        os.set_blocking(fd, False)
        poller.register(fd, select.POLLOUT if fd == stdin else select.POLLIN)
    exit_fd = child.exit_descriptor()
    if exit_fd >= 0:
        poller.register(exit_fd, select.POLLIN)
    view = memoryview(data)
    ended = False

    def close(fd: int) -> None:
        poller.unregister(fd)
        open_fds.discard(fd)
        os.close(fd)

    try:
        while open_fds:
            left_s = _FOREVER if deadline is None else deadline - time.monotonic()
            if left_s <= 0:
                raise TimeoutError(f"`{os.path.basename(child_name(child))}` took longer than {timeout_s:g} s")
            pause_s = 0 if ended else min(left_s, watch(child) if watch else _FOREVER)
            ready = poller.poll(None if pause_s == _FOREVER else pause_s * 1000)
            if ended and not ready:
                break  # the program is gone and its pipes are drained; whoever holds them still is no concern of ours
            for fd, _event in ready:
                if fd == exit_fd:
                    ended = True
                    child.wait()  # kills what it has left in its group, which may print without end
                    poller.unregister(exit_fd)
                elif fd == stdin:
                    view = _write_some(fd, view)
                    if not view:
                        close(fd)
                elif not _read_some(fd, chunks[fd]):
                    close(fd)
    finally:
        for fd in open_fds:
            os.close(fd)
    return bytes(chunks[stdout]), bytes(chunks[stderr])


def child_name(child: Child) -> str:
    """What the process list calls the child, for a message."""
    try:
        with open(f"/proc/{child.pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return str(child.pid)


def _write_some(fd: int, view: memoryview) -> memoryview:
    try:
        return view[os.write(fd, view[:_READ_BYTES]) :]
    except BlockingIOError:
        return view
    except BrokenPipeError:  # it doesn't want to read; its exit code will tell
        return view[:0]


def _read_some(fd: int, into: bytearray) -> bool:
    try:
        chunk = os.read(fd, _READ_BYTES)
    except BlockingIOError:
        return True
    into += chunk
    if len(into) > 2 * _KEPT_BYTES:
        del into[:-_KEPT_BYTES]
    return bool(chunk)


def _tie(lifeline: int, group: int) -> None:
    """Have the kernel kill `group` when the other end of `lifeline` closes. The setting belongs to the open pipe, not to us."""
    import fcntl

    try:
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -group)
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    except OSError as error:
        if error.errno != errno.ESRCH:  # ESRCH: the child is gone already
            raise
