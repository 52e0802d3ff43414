"""How a worker's end is told: what limit it met and by how much, or else what is known.

Above it: the guard; below it: errors. That a limit has ended a worker is said where we ended it for that, the kernel has said so,
or what is known of its end (`_want`) makes it likely; what a plugin does to itself stays a crash.
"""

from __future__ import annotations

from plughost import _kernel
from plughost.errors import LimitExceeded, PlughostError, PluginCrashed, PluginError
from plughost.policy import DEFAULT, KEYS
from plughost.sandbox._breach import Breach, limit_of_files
from plughost.sandbox._want import find_want, tells_of_want

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.sandbox._guard import Guard
    from plughost.sandbox._want import Want

__all__ = ["crash_of", "explain", "limit_error", "quantity"]

#: Signals, by what their numbers are on Linux.
_SIGKILL, _SIGXFSZ, _SIGSYS = 9, 25, 31
_UNITS = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))
_REFERENCES = {
    "memory_bytes": "limit-memory",
    "cpu_s": "limit-cpu",
    "wall_s": "limit-wall",
    "processes": "limit-processes",
    "threads": "limit-threads",
    "file_bytes": "limit-file-size",
    "disk_bytes": "limit-disk",
    "output_bytes": "limit-output",
    "result_bytes": "limit-result",
}
_SAID = {
    "memory_bytes": "its memory was {}",
    "cpu_s": "it had used {} of CPU time",
    "wall_s": "it had taken {}",
    "processes": "it had {} processes",
    "threads": "it had {} threads",
    "file_bytes": "a file of its came to {}",
    "disk_bytes": "its work directory held {}",
    "output_bytes": "its output was {}",
    "result_bytes": "its result was {}",
}
_ALLOWED_OF = {
    "threads": " threads",
    "processes": " processes",
    "open_files": " open files",
    "file_bytes": " for one file",
    "disk_bytes": " in the work directory",
}
_OUT_OF_MEMORY_FILES = "What is large belongs in the work directory, which is the current one when a call begins"
#: What libraries raise that have no word of Python's for what was missing.
_GENERAL = ("BaseException", "Exception", "RuntimeError", "SystemError")
#: What the kernel answers a plugin that meets a limit: numbers of an OSError.
_EAGAIN, _ENOMEM, _EMFILE, _EFBIG, _ENOSPC = 11, 12, 24, 27, 28


def quantity(limit: str, figure: float) -> str:
    """A figure of a field of the policy, for people."""
    if limit.endswith("_s"):
        return f"{figure:.3g} s"
    if not limit.endswith("_bytes"):
        return f"{figure:.0f}"
    for unit, size in _UNITS:
        if figure >= size:
            amount = figure / size
            return f"{amount:.0f} {unit}" if amount >= 10 or figure % size == 0 else f"{amount:.1f} {unit}"  # noqa: PLR2004
    return f"{figure:.0f} bytes"


def limit_error(guard: Guard, what: str, breach: Breach) -> LimitExceeded:
    """The error for what was ended because it reached a limit."""
    allowed = getattr(guard.policy, breach.limit)
    figure = _SAID[breach.limit].format(quantity(breach.limit, breach.figure))
    error = LimitExceeded(
        f"{what} was killed: {figure}, and its policy allows {quantity(breach.limit, allowed)}",
        reference=_REFERENCES[breach.limit],
        hint=_how_to_allow(guard, breach.limit),
    )
    error.limit, error.figure, error.allowed = breach.limit, breach.figure, allowed
    return error


def _how_to_allow(guard: Guard, limit: str) -> str:
    """A command that allows twice as much; of a limit that somebody has said, one that tells who, since more may narrow it."""
    allowed, by_default = getattr(guard.policy, limit), getattr(DEFAULT, limit)
    if by_default is None or allowed < by_default:
        return f"Give it less to do, or allow more where it is limited: `policy show {guard.plugin}` says where"
    key = next(key for key, field in KEYS.items() if field == limit)
    return f"Give it less to do, or allow more: `policy set {guard.plugin} {key}={_written(limit, allowed * 2)}`"


def _written(limit: str, value: float) -> str:
    """As the command takes it."""
    if limit.endswith("_bytes"):
        return next((f"{value // size:.0f}{unit}" for unit, size in _UNITS if value % size == 0), f"{value:.0f}")
    return f"{value:g}s" if limit.endswith("_s") else f"{value:g}"


def crash_of(guard: Guard, what: str, code: int | None, causes: list[str]) -> PluginCrashed:
    """The error for a worker that ended with that exit code, below 0 for a signal; `causes` are what it printed last."""
    if guard.breach is None and guard.was_out_of_memory():
        guard.breach = Breach("memory_bytes", max(guard.meter.peak_bytes, guard.policy.memory_bytes or 0))
    breach = guard.breach
    if breach is None and code == -_SIGXFSZ:
        limit, figure = limit_of_files(guard.policy)
        breach = None if figure is None else Breach(limit, figure)
    if breach is not None:
        error: PluginCrashed = limit_error(guard, what, breach)
        error.causes = tuple(causes)
        return error
    want = find_want(guard, code, causes)
    if want is not None and want.likely:
        return _ended_for_want(guard, what, code, want, causes)
    cause = _why(guard, code) if want is None else f"It was possibly out of memory: it had {_seen(want)} when last seen"
    return PluginCrashed(
        f"{what} crashed: its process {_kernel.how_it_ended(code)} before it answered",
        causes=[*filter(None, [cause]), *causes],
        hint="The next call starts a new process",
    )


def _ended_for_want(guard: Guard, what: str, code: int | None, want: Want, causes: list[str]) -> LimitExceeded:
    """The error for what had all but all of the memory that there was for it, and came to grief by that."""
    allowed = quantity("memory_bytes", want.allowed)
    if want.where:
        why, hint = f"when `{want.where}` held {_seen(want)}", _OUT_OF_MEMORY_FILES
    elif want.said:
        why, hint = f"for want of memory, of which its policy allows {allowed}", _how_to_allow(guard, "memory_bytes")
        causes = [*causes, f"It had {quantity('memory_bytes', want.figure)} when last seen"]
    else:
        why = f"when it had {quantity('memory_bytes', want.figure)} of the {allowed} of memory that its policy allows"
        hint = _how_to_allow(guard, "memory_bytes")
    error = LimitExceeded(
        f"{what} crashed: its process {_kernel.how_it_ended(code)} {why}", reference="limit-memory", causes=causes, hint=hint
    )
    error.limit, error.figure, error.allowed = "memory_bytes", want.figure, want.allowed
    return error


def _seen(want: Want) -> str:
    return f"{quantity('memory_bytes', want.figure)} of {quantity('memory_bytes', want.allowed)}"


def _why(guard: Guard, code: int | None) -> str:
    """What is known of an end by a signal that is nobody's of ours."""
    signal = -(code or 0)
    if signal == _SIGSYS:
        return "It may have made a system call of another architecture: that is how those are refused"
    if signal == _SIGKILL and not guard.is_called_off:
        return "No limit of its policy did that: it did it itself, or somebody else, or the system for want of memory"
    return ""


def explain(guard: Guard, error: PlughostError) -> PlughostError:
    """An error of the plugin's that says, where it met a limit, which one that was, and how to allow more."""
    if isinstance(error, PluginError):
        number = getattr(error, "errno", None)
        limit = _limit_met(guard, error, number)
        if number == _ENOSPC:
            _tell_of_full_folder(guard, error)
        elif limit and getattr(guard.policy, limit) is not None:
            error.causes = (_reached(guard, limit), *error.causes)
            error.hint, error.was_denied = _how_to_allow(guard, limit), True
    return error


def _limit_met(guard: Guard, error: PluginError, number: object) -> str:
    """The field of the policy that the kernel may have refused it something for; nothing where it is none."""
    is_general = error.builtin_name in _GENERAL
    if error.builtin_name == "MemoryError" or number == _ENOMEM or (is_general and tells_of_want(error.remote_message)):
        return "memory_bytes"
    if error.builtin_name == "RuntimeError" and "start new thread" in error.remote_message:
        return "threads" if guard.has_many_threads else "memory_bytes"  # of which each thread's stack takes some
    if number == _EAGAIN:
        return "processes"
    if number == _EFBIG:
        return limit_of_files(guard.policy)[0]
    return "open_files" if number == _EMFILE else ""


def _reached(guard: Guard, limit: str) -> str:
    allowed = quantity(limit, getattr(guard.policy, limit))
    if limit == "memory_bytes":
        return (
            f"It asked for more memory than its policy allows, which is {allowed}; it has {quantity(limit, guard.measure())} now"
        )
    return f"It reached a limit: its policy allows {allowed}{_ALLOWED_OF.get(limit, '')}"


def _tell_of_full_folder(guard: Guard, error: PluginError) -> None:
    """Which folder it was that is full, the error may not say: there is room in the other one."""
    size = guard.meter.temporary_use()[1]
    if size and guard.meter.has_room_at_work:
        error.causes = (
            f"It reached a limit: `{guard.meter.temporary}` holds at most {quantity('disk_bytes', size)}",
            *error.causes,
        )
        error.hint, error.was_denied = _OUT_OF_MEMORY_FILES, True
