"""The policy: what a plugin's processes may use. A frozen record, and the three that have names.

Above it: what narrows policies, what grants them, and the sandbox, which has the kernel keep them; below it: nothing. It is on
the way of each start of a plugin: no dataclass, whose module takes longer to import than a child takes to start. How a policy is
written and read stands beside it, and is imported where somebody wrote one.
"""

from __future__ import annotations

from plughost.policy._fields import NUMBERS, PATHS, TIMES, is_in_any

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from typing import Self

__all__ = ["DEFAULT", "PRESETS", "STRICT", "TRUSTED", "Policy"]

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

_MOST = 1 << 62  # as where values are read
#: Names of variables that say where and in which language somebody is, and nothing else of them.
_LOCALE = ("LANG", "LANGUAGE", "LC_*", "TZ")


class Policy:
    """What the processes of one worker may use, all of them together unless it says otherwise. None is without limit.

    `network` is `"off"`, `"on"`, or the hosts that may be reached: `api.example.com`, `*.example.com:443`, `127.0.0.1:8000`.
    `read` and `write` are absolute paths of files and folders that may be read, or also written, besides the plugin's own
    environment, its base Python and its work directory; `"/"` is all. `hide` are paths within them that aren't there for the
    plugin. `execute` are absolute paths of programs, or folders of them, that may be executed besides the environment's own
    Python; it takes `processes` above 1, too. `environment` are names of variables that are passed on, a star at the end for any
    ending.

    `memory_bytes` is of all processes together, `cpu_s` and `wall_s` (seconds) of one call, `file_bytes` the size of one file,
    `disk_bytes` of all in the work directory, `output_bytes` what one call may print or log, and `result_bytes` what it may give
    back.
    """

    __slots__ = (
        "cpu_s",
        "disk_bytes",
        "environment",
        "execute",
        "file_bytes",
        "hide",
        "memory_bytes",
        "network",
        "open_files",
        "output_bytes",
        "processes",
        "read",
        "result_bytes",
        "threads",
        "wall_s",
        "write",
    )

    network: str | tuple[str, ...]
    read: tuple[str, ...]
    write: tuple[str, ...]
    hide: tuple[str, ...]
    execute: tuple[str, ...]
    environment: tuple[str, ...]
    memory_bytes: int | None
    cpu_s: float | None
    wall_s: float | None
    processes: int | None
    threads: int | None
    open_files: int | None
    file_bytes: int | None
    disk_bytes: int | None
    output_bytes: int | None
    result_bytes: int | None

    def __init__(
        self,
        *,
        network: str | bool | Sequence[str] = "off",
        read: Sequence[str | os.PathLike[str]] = (),
        write: Sequence[str | os.PathLike[str]] = (),
        hide: Sequence[str | os.PathLike[str]] = (),
        execute: Sequence[str | os.PathLike[str]] = (),
        environment: Sequence[str] = _LOCALE,
        memory_bytes: int | None = 4 * GIB,
        cpu_s: float | None = None,
        wall_s: float | None = None,
        processes: int | None = 1,
        threads: int | None = 256,
        open_files: int | None = 512,
        file_bytes: int | None = GIB,
        disk_bytes: int | None = 2 * GIB,
        output_bytes: int | None = 64 * MIB,
        result_bytes: int | None = GIB,
    ) -> None:
        """Raises: UsageError: a value that its field doesn't take."""
        values: dict[str, object] = locals()
        self._fill(values)

    def _fill(self, values: Mapping[str, object], *, are_sound: bool = False) -> None:
        for name in self.__slots__:
            value = values[name]
            if not (are_sound or _is_plain(name, value)):
                from plughost.policy._read import field_value

                value = field_value(name, value)
            object.__setattr__(self, name, value)

    @classmethod
    def of_sound(cls, values: Mapping[str, object]) -> Self:
        """The policy of values that are known to be what the fields hold: all of them."""
        policy = object.__new__(cls)
        policy._fill(values, are_sound=True)
        return policy

    @classmethod
    def trusted(cls) -> Policy:
        """The preset for code that is trusted as a program of the user's own is."""
        return TRUSTED

    @classmethod
    def strict(cls) -> Policy:
        """The preset for code that nobody has looked at."""
        return STRICT

    @classmethod
    def default(cls) -> Policy:
        """What a plugin has where nobody says anything: `Policy()`."""
        return DEFAULT

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object], *, folder: str = "") -> Policy:
        """The policy that a table such as `{"preset": "strict", "memory": "1 GiB"}` describes, or else the default's fields.

        The keys are those of docs/reference/policy.md. Relative paths are of `folder`; without one they are refused.

        Raises: UsageError: a key that isn't one, or a value that it doesn't take.
        """
        from plughost.policy._read import read_table

        return DEFAULT.replace(**read_table(mapping, PRESETS, folder=folder))

    def to_mapping(self) -> dict[str, object]:
        """The table that `from_mapping` reads as this policy, as short as can be, with sizes and times for people."""
        from plughost.policy._show import mapping_of

        return mapping_of(self.as_record(), PRESETS)

    def __setattr__(self, name: str, _value: object) -> None:
        raise AttributeError(f"a policy is never changed: `replace({name}=…)` gives another one")

    def __delattr__(self, name: str) -> None:
        self.__setattr__(name, None)

    def replace(self, **changes: object) -> Self:
        """Another policy, which differs in these.

        Raises: UsageError: there is no such field, or it doesn't take that.
        """
        for name in changes:
            if name not in self.__slots__:
                from plughost.policy._read import unknown_key

                raise unknown_key(name)
        other = object.__new__(type(self))
        other._fill({**self.as_record(), **changes})
        return other

    def as_record(self) -> dict[str, object]:
        """The values by the names of their fields."""
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def is_trusted(self) -> bool:
        """Whether nothing is kept from the plugin, so that it runs as any program of its user's does."""
        return self.network == "on" and self == TRUSTED

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        """In no list of a policy does the order matter; and what may be written may be read, whether `read` names it or not."""
        values = self.as_record()
        if self.read and self.write:
            values["read"] = tuple(path for path in self.read if not is_in_any(path, self.write))
        return tuple(frozenset(value) if isinstance(value, tuple) else value for value in values.values())

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self.as_record().items() if value != getattr(DEFAULT, name))
        return f"Policy({said})"


def _is_plain(name: str, value: object) -> bool:
    """Whether the field keeps the value as it is; what isn't plainly so is looked at closely, elsewhere."""
    if value is None:
        return name in NUMBERS
    if isinstance(value, int | float):
        return name in NUMBERS and type(value) in ((int, float) if name in TIMES else (int,)) and 0 < value < _MOST
    if isinstance(value, str):
        return name == "network" and value in {"off", "on"}
    return value in ((), ("/",) if name in PATHS else _LOCALE) or (name == "environment" and value == ("*",))


#: What a plugin has that nobody has granted more, or less.
DEFAULT = Policy()
#: For code that nobody has looked at: it computes, in a small room.
STRICT = Policy(
    environment=(),
    memory_bytes=512 * MIB,
    cpu_s=60.0,
    wall_s=120.0,
    threads=32,
    open_files=64,
    file_bytes=64 * MIB,
    disk_bytes=128 * MIB,
    output_bytes=MIB,
    result_bytes=16 * MIB,
)
#: Whatever a program of the user's may do. Its children still have no variables but those that `_process` passes on.
TRUSTED = Policy(
    network="on",
    read=("/",),
    write=("/",),
    execute=("/",),
    environment=("*",),
    memory_bytes=None,
    processes=None,
    threads=None,
    open_files=None,
    file_bytes=None,
    disk_bytes=None,
    output_bytes=None,
    result_bytes=None,
)

PRESETS: Mapping[str, Policy] = {"trusted": TRUSTED, "default": DEFAULT, "strict": STRICT}
