"""A process that couldn't carry out its plan: it has ended before it ran anything of a plugin's, and said why.

Above it: the workers, when one has ended before its first answer, and the workshop; below it: errors. The other side is the
runner's `_confine`.
"""

from __future__ import annotations

from plughost.errors import SandboxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NOT_CONFINED", "confinement_failed"]

#: As the runner's `_confine.give_up` has it: the exit code, and how what it prints begins.
NOT_CONFINED = 77
_PRINTED = "plughost: this process can't be confined: "


def confinement_failed(plugin: str, what: str, code: int | None, printed: Sequence[str]) -> SandboxError | None:
    """The error for a process of the plugin's that ended so, if that is what it did; `printed` are its last lines."""
    reason = next((line[len(_PRINTED) :] for line in printed if line.startswith(_PRINTED)), "")
    if code != NOT_CONFINED or not reason:
        return None
    step, _, why = reason.partition(": ")
    return SandboxError(
        f"{what} is not started: its process can't be confined as its policy says",
        reference="confinement-failed",
        causes=[f"The step `{step}` failed: {why}"],
        hint=f"`doctor {plugin}` tries what this machine offers; what `policy show {plugin}` names has to be there, and "
        "its limits to leave room for a start",
    )


def build_not_confined(code: int, stdout: str, stderr: str) -> SandboxError | None:
    """The same for a build, of which that has to be all that was printed: a program of its own may end with any code."""
    lines = stderr.splitlines()
    error = confinement_failed("", "The build", code, lines) if not stdout and len(lines) == 1 else None
    if error is not None:
        error.hint = "`doctor` tries what this machine offers; the settings `build-memory` and `build-disk` have to leave it room"
    return error
