"""Every exception that plughost raises.

Above it: everything; below it: nothing of plughost, so any module may raise. Whoever prints an error (the command line, a
log, a service) prints its `record()` and knows nothing else about it.

The classes say who must act: the caller (`UsageError`, `UnknownError`), the plugin's author (`PluginError`, `PluginCrashed`),
whoever installs (`InstallError` and below), whoever owns the machine (`StoreError`). The `reference` says what happened; it is
stable, kebab-case, and a heading of `docs/reference/errors.md`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing costs as long to import as a whole worker takes to start
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from os import PathLike

__all__ = [
    "AuditError",
    "BuildError",
    "BundleError",
    "CallCancelled",
    "CallTimeout",
    "ContractError",
    "DescribeError",
    "GrantNeeded",
    "InstallError",
    "LimitExceeded",
    "PlughostError",
    "PluginCrashed",
    "PluginDisabled",
    "PluginError",
    "RemoteTraceback",
    "ResolveError",
    "SandboxError",
    "SessionEnded",
    "SessionError",
    "SourceError",
    "StoreError",
    "UnknownError",
    "UsageError",
    "VenvError",
]


class PlughostError(Exception):
    """The root of all errors; raised as such only for a fault of plughost itself.

    `message` is one sentence without a full stop, `causes` go from the nearest to the root, `hint` says what to do next. A
    command in a hint stands in backticks without the program's name (`info weather`), since an app may have the commands among
    its own: the command line prints it as it is to be typed.
    """

    exit_code = 6
    #: What may have happened; the first is meant where nothing is said.
    references: tuple[str, ...] = ("internal",)

    def __init__(
        self,
        message: str,
        *,
        reference: str = "",
        causes: Iterable[str] = (),
        hint: str = "",
        log: str | PathLike[str] = "",
    ) -> None:
        # BaseException.__init__ by name: a PluginError may be an OSError or a UnicodeDecodeError too, whose own wants more.
        BaseException.__init__(self, message)
        self.message = message
        self.reference = reference or self.references[0]
        self.causes = tuple(causes)
        self.hint = hint
        self.log = str(log)

    def record(self) -> dict[str, object]:
        """The error as plain JSON values, the same for text, `--json` and any service."""
        return {
            "reference": self.reference,
            "message": self.message,
            "causes": list(self.causes),
            "hint": self.hint or None,
            "log": self.log or None,
            "exit_code": self.exit_code,
        }

    def __str__(self) -> str:
        lines = [self.message, *(f"  Caused by: {cause}" for cause in self.causes)]
        if self.log:
            lines.append(f"log: {self.log}")
        if self.hint:
            lines += ["", f"hint: {self.hint}"]
        return "\n".join(lines)


class UsageError(PlughostError, ValueError):
    """What the caller gave can't be used: a command line, a source string, an argument of a tool."""

    exit_code = 2
    references: tuple[str, ...] = (
        "usage",
        "source-invalid",
        "name-invalid",
        "name-taken",
        "index-taken",
        "arguments-invalid",
        "value-unsupported",
        "settings-invalid",
        "lock-outdated",
        "record-incomplete",
        "policy-invalid",
    )


class GrantNeeded(UsageError):
    """The plugin asks for more than it was granted, and there is nobody to ask: what is installed is as it was.

    `permissions` is all that it asks for, as a table of a policy.
    """

    references = ("grant-needed",)
    plugin: str = ""
    permissions: Mapping[str, object] = {}


class UnknownError(PlughostError, LookupError):
    """No plugin, tool or hook of that name is there."""

    exit_code = 3
    references: tuple[str, ...] = (
        "plugin-unknown",
        "tool-unknown",
        "tool-ambiguous",
        "hook-unknown",
        "version-unknown",
        "record-unknown",
        "revision-gone",
        "index-unknown",
        "session-unknown",
        "index-ambiguous",
    )


class PluginDisabled(UnknownError):
    """The plugin is there and may not be called. Hook calls go on without it."""

    references = ("plugin-disabled",)


class PluginError(PlughostError):
    """The plugin's own code raised.

    Where the original type is a built-in one, the error is an instance of that too, so `except ValueError` works.
    `type_name` is the original's qualified name, `builtin_name` that of the nearest built-in type, `remote_message` what it said,
    and `remote_traceback` its traceback as text, which is shown as the error's cause, too. `remote_args` are its arguments, if
    all of them are plain values. If it `was_denied` something by its policy, the hint says what would allow it.
    """

    exit_code = 1
    references = ("plugin-raised", "result-unsupported")
    type_name: str = ""
    builtin_name: str = ""
    remote_args: tuple[object, ...] | None = None
    remote_message: str = ""
    remote_traceback: str = ""
    was_denied: bool = False

    def record(self) -> dict[str, object]:
        return {**super().record(), "type": self.type_name, "traceback": self.remote_traceback or None}


class ContractError(PlughostError):
    """What a plugin offers isn't what was promised: to an app by its hook specifications, to callers by an earlier version."""

    exit_code = 5
    references = ("hook-invalid", "hook-changed", "contract-broken")


class RemoteTraceback(Exception):
    """Stands as the cause of a `PluginError`, and shows where in the plugin it was raised."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"\n\n{self.text}"


class PluginCrashed(PlughostError):
    """The worker ended, or broke the protocol, before it answered. The next call has a new worker."""

    exit_code = 4
    references: tuple[str, ...] = ("plugin-crashed", "protocol-violated", "daemon-lost", "session-lost")


class LimitExceeded(PluginCrashed):
    """The worker was ended because it had reached a limit of its policy. The next call has a new worker.

    `limit` is the policy's field, `figure` what it had come to and `allowed` what the policy allows: bytes, seconds or a count.
    """

    references = (
        "limit-memory",
        "limit-cpu",
        "limit-wall",
        "limit-processes",
        "limit-threads",
        "limit-file-size",
        "limit-disk",
        "limit-output",
        "limit-result",
    )
    limit: str = ""
    figure: float = 0
    allowed: float = 0

    def record(self) -> dict[str, object]:
        return {**super().record(), "limit": self.limit, "figure": self.figure, "allowed": self.allowed}


class CallTimeout(PlughostError, TimeoutError):
    """The call took longer than it was given; its worker and everything the worker started have ended."""

    exit_code = 124  # as timeout(1)
    references = ("timed-out",)


class CallCancelled(PlughostError):
    """The call was cancelled before it had an answer; its worker is replaced."""

    exit_code = 130  # as a shell has it for what Ctrl-C ends
    references = ("cancelled",)


class SessionError(PlughostError):
    """A session can't be opened, or used, at the moment."""

    exit_code = 4
    references: tuple[str, ...] = ("sessions-busy", "session-busy")


class SessionEnded(SessionError):
    """The session takes no more calls. `figure` is what it had come to, and `limit` what it may: seconds, or a count."""

    references = ("session-closed", "session-lifetime", "session-idle", "session-tasks", "session-evicted")
    figure: float | None = None
    limit: float | None = None

    def record(self) -> dict[str, object]:
        return {**super().record(), "figure": self.figure, "limit": self.limit}


class InstallError(PlughostError):
    """A plugin could not be added; what was installed before is as it was."""

    exit_code = 5
    #: The packages of which there would have to be a wheel, as far as the installer names them.
    without_wheel: tuple[str, ...] = ()
    references: tuple[str, ...] = ("install-failed", "disk-full", "network", "tls", "offline", "uv-missing", "tool-failed")


class SourceError(InstallError):
    """The source could not be resolved or checked out."""

    references = (
        "source-missing",
        "git-missing",
        "git-failed",
        "git-auth",
        "git-not-found",
        "git-ref-not-found",
        "git-submodule",
        "subdirectory-missing",
        "not-a-python-project",
        "package-file-invalid",
        "index-invalid",
        "signature-missing",
        "signature-invalid",
        "signer-not-allowed",
    )


class AuditError(PlughostError):
    """The service that knows of vulnerabilities can't be asked, or its answer can't be read."""

    exit_code = 5
    references = ("audit-unreachable", "audit-invalid")


class BuildError(InstallError):
    """No wheel could be built from the source tree, or the wheel is not one plughost can use."""

    references = (
        "build-failed",
        "build-limit",
        "build-requires",
        "wheel-invalid",
        "wheel-changed",
        "entry-points-missing",
        "permissions-invalid",
    )


class ResolveError(InstallError):
    """The dependencies can't be locked, or there is no interpreter for them."""

    references = (
        "resolution-conflict",
        "package-not-found",
        "version-not-found",
        "wheel-missing",
        "dependency-refused",
        "index-auth",
        "hash-mismatch",
        "python-missing",
        "python-incompatible",
    )


class VenvError(InstallError):
    """The virtual environment could not be made as the lock says. `package` is the one whose files are damaged, if it is that."""

    references = ("venv-failed", "venv-damaged")
    package: str = ""


class BundleError(InstallError):
    """A bundle is not what was exported, or not for this machine; nothing of it was installed."""

    references = ("bundle-invalid", "bundle-unfit")


class DescribeError(InstallError):
    """The plugin was installed aside, but it can't be imported or doesn't say what it offers."""

    references = ("plugin-import-failed", "plugin-invalid")


class StoreError(PlughostError):
    """The store on disk can't be read or written."""

    references = ("store-unwritable", "store-corrupt", "index-corrupt", "venv-missing", "records-unreadable", "daemon-failed")


class SandboxError(PlughostError):
    """What a policy says can't be enforced on this machine, so nothing of the plugin was started."""

    exit_code = 7
    references = ("policy-unenforceable", "confinement-failed")
