"""The record: a value for each key, and where it was said."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    Level = Literal["environment", "project", "user"]

__all__ = ["Place", "Settings"]


class Place:
    """Where a value was said: in a variable, or in a file, of which `path` is the path."""

    __slots__ = ("level", "path", "variable")

    def __init__(self, level: Level, *, path: str = "", variable: str = "") -> None:
        self.level = level
        self.path = path
        self.variable = variable

    def line(self, name: str) -> int:
        """In which line of its file the key `name` stands; 0 if that can't be told."""
        from plughost.settings._document import line_of

        return line_of(self.path, name)


class Settings:
    """What holds where nothing else is said. `Settings()` is the defaults. It is not changed once it is made.

    "" is not set. `allowed_signers` is an absolute path, `exclude_newer` a date, an instant or a duration as it was written,
    `require_signed` are patterns as `fnmatch` has them. `origins` says of each key that somebody has set, by its name in TOML,
    where: in one place, or where lists add up in several, the strongest first.

    `policy` is the name of a preset, or the fields of a table, and `policies` are such by the plugin's name. `narrowing` is what
    a project's file says of these, "" being for all plugins: it takes away, and gives nothing. The limits of sessions are
    seconds, bytes and counts; `inf` is without limit.
    """

    __slots__ = (
        "allow_unenforced",
        "allowed_signers",
        "audit_service",
        "build_disk",
        "build_memory",
        "build_processes",
        "build_time",
        "exclude_newer",
        "installer",
        "keep_revisions",
        "narrowing",
        "offline",
        "origins",
        "policies",
        "policy",
        "python",
        "record_arguments",
        "record_calls",
        "require_signed",
        "session_count",
        "session_idle_timeout",
        "session_lifetime",
        "session_memory",
        "session_task_timeout",
        "session_tasks",
    )

    def __init__(
        self,
        *,
        allow_unenforced: tuple[str, ...] = (),
        allowed_signers: str = "",
        audit_service: str = "https://api.osv.dev",
        build_disk: float = 16 << 30,
        build_memory: float = 8 << 30,
        build_processes: int = 1000,
        build_time: float = 1800,
        exclude_newer: str = "",
        installer: str = "",
        keep_revisions: int = 5,
        narrowing: Mapping[str, object] | None = None,
        offline: bool = False,
        policies: Mapping[str, object] | None = None,
        policy: object = "",
        python: str = "",
        record_arguments: bool = False,
        record_calls: bool = True,
        require_signed: tuple[str, ...] = (),
        session_count: int = 100,
        session_idle_timeout: float = 900,
        session_lifetime: float = 3600,
        session_memory: float = 512 << 20,
        session_task_timeout: float = 300,
        session_tasks: int = 50,
        origins: Mapping[str, tuple[Place, ...]] | None = None,
    ) -> None:
        self.allow_unenforced = allow_unenforced
        self.allowed_signers = allowed_signers
        self.audit_service = audit_service
        self.build_disk = build_disk
        self.build_memory = build_memory
        self.build_processes = build_processes
        self.build_time = build_time
        self.exclude_newer = exclude_newer
        self.installer = installer
        self.keep_revisions = keep_revisions
        self.narrowing = narrowing or {}
        self.offline = offline
        self.policies = policies or {}
        self.policy = policy
        self.python = python
        self.record_arguments = record_arguments
        self.record_calls = record_calls
        self.require_signed = require_signed
        self.session_count = session_count
        self.session_idle_timeout = session_idle_timeout
        self.session_lifetime = session_lifetime
        self.session_memory = session_memory
        self.session_task_timeout = session_task_timeout
        self.session_tasks = session_tasks
        self.origins = origins or {}
