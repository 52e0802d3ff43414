"""Policies as people write them: tables of TOML or JSON, and `NAME=VALUE` on a command line.

Above it: the settings, the command line, what a plugin asks for; below it: the record. Every mistake is a UsageError that names
the key, the value, and what the key takes.
"""

from __future__ import annotations

import math
import os

from plughost._wording import did_you_mean, listed, shown
from plughost.errors import UsageError
from plughost.policy._fields import KEYS, NUMBERS, PATHS, PRESET, TIMES, shows_processes
from plughost.policy._hosts import normal_pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    class Recorded(Protocol):
        """A preset."""

        def as_record(self) -> dict[str, object]: ...


__all__ = ["field_called", "field_value", "of_preset", "read_table", "unknown_key"]

_NO_LIMIT = ("unlimited", "none", "infinity")
#: As docker and systemd have them; with a B, as the IEC and the SI do.
_BYTES = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_BYTES |= {f"{letter}ib": _BYTES[letter] for letter in "kmgt"} | {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0}
_SECONDS |= {"m": 60.0, "min": 60.0, "minute": 60.0, "minutes": 60.0, "h": 3600.0, "hour": 3600.0, "hours": 3600.0}
_MOST = 1 << 62
#: How hosts are written.
_HOW_HOSTS = (
    "A host is a name or an address, no URL; `:PORT` may follow, or `:*`: `api.example.com:8443`, `[::1]:80`, `*.example.com`"
)


def read_table(
    table: Mapping[str, object], presets: Mapping[str, Recorded], *, folder: str = "", at: str = ""
) -> dict[str, object]:
    """The fields that the table speaks of, and their values; those of its preset, if it names one, and its own over them.

    `at` is the table's own place in a document, for what is said of a mistake. Relative paths are of `folder`, if that is given.

    Raises: UsageError: a key or a value that can't be.
    """
    if not hasattr(table, "items"):
        raise UsageError(
            f"`{at or 'policy'}` is `{shown(table)}`, and takes a preset's name or a table", reference="policy-invalid"
        )
    terms: dict[str, object] = {}
    if PRESET in table:
        terms |= of_preset(table[PRESET], presets, at=f"{at}.{PRESET}" if at else PRESET)
    for key, value in table.items():
        if key != PRESET:
            field = field_called(key, at)
            terms[field] = field_value(field, value, key=f"{at}.{key}" if at else key, folder=folder)
    return terms


def field_value(field: str, value: object, *, key: str = "", folder: str = "") -> object:
    """The value as the record holds it.

    Raises: UsageError: the field doesn't take it.
    """
    if field in NUMBERS:
        found, wanted = _number(field, value)
    elif field == "network":
        found, wanted = (
            _network(value),
            '`"off"`, `"on"`, or a list of hosts such as `"example.com:443"`',
        )
    elif field in PATHS:
        found, wanted = (
            _paths(value, folder),
            "a list of paths that are absolute, or begin with `~`" + (" or `.`" if folder else ""),
        )
        if field != "hide" and isinstance(found, tuple) and (seen := [path for path in found if shows_processes(path)]):
            found, wanted = _Unfit(seen[0]), "no paths at which the kernel shows processes"
    else:
        found, wanted = _names(value), "a list of names of variables, at the end of which a `*` may stand"
    if isinstance(found, _Unfit):
        raise UsageError(
            f"`{key or field}` is `{shown(found.value)}`, and takes {wanted}",
            reference="policy-invalid",
            hint=_HOW_HOSTS if field == "network" else "",
        )
    return found


def unknown_key(key: str, at: str = "") -> UsageError:
    """The error for a key that policies don't have."""
    near = did_you_mean(key.replace("_", "-"), [*KEYS, PRESET], cutoff=0.5)
    hint = near or f"There are {listed((PRESET, *KEYS))}"
    where = f" in `{at}`" if at else ""
    return UsageError(f"A policy has no `{key}`{where}", reference="policy-invalid", hint=hint)


def field_called(key: str, at: str) -> str:
    """The field that is meant by `key`, which stands in `at`; fields have their own names too.

    Raises: UsageError: there is none.
    """
    field = KEYS.get(key.replace("_", "-"), key.replace("-", "_"))
    if field not in KEYS.values():
        raise unknown_key(key, at)
    return field


def of_preset(name: object, presets: Mapping[str, Recorded], *, at: str) -> dict[str, object]:
    """What the preset says.

    Raises: UsageError: there is none of that name.
    """
    if isinstance(name, str) and name in presets:
        return presets[name].as_record()
    raise UsageError(
        f"`{at}` is `{shown(name)}`, and there is no such preset",
        reference="policy-invalid",
        hint=f"There are {listed(presets)}",
    )


class _Unfit:
    """What can't be taken: all that was given, or one thing in it."""

    def __init__(self, value: object) -> None:
        self.value = value


def _number(field: str, value: object) -> tuple[object, str]:
    units = _SECONDS if field in TIMES else _BYTES if field.endswith("_bytes") else {"": 1}
    wanted = {
        id(_SECONDS): "a time such as `30 s` or `5 min`, or `unlimited`",
        id(_BYTES): "a size such as `512 MiB`, or `unlimited`",
    }.get(id(units), "a whole number above 0, or `unlimited`")
    if value is None or (isinstance(value, str) and value.strip().lower() in _NO_LIMIT):
        return None, wanted
    number = _with_unit(value, units) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < _MOST or math.isnan(number):
        return _Unfit(value), wanted
    if field in TIMES:
        return float(number), wanted
    return (int(number) if number == int(number) or units is _BYTES else _Unfit(value)), wanted


def _with_unit(text: str, units: Mapping[str, float]) -> float | None:
    digits = text.strip().rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    unit = units.get(text.strip()[len(digits) :].lower())
    number = digits.strip().replace("_", "")
    if unit is None or not number.isascii() or not number.replace(".", "", 1).isdigit():
        return None
    return (float(number) if "." in number else int(number)) * unit


def _network(value: object) -> object:
    if isinstance(value, bool) or (isinstance(value, str) and value in {"on", "off"}):
        return "on" if value in {True, "on"} else "off"
    hosts = _listed(value)
    if isinstance(hosts, _Unfit):
        return hosts
    if hosts in (["on"], ["off"]):
        return hosts[0]
    patterns = []
    for host in hosts:
        pattern = normal_pattern(host)
        if not pattern or host in {"on", "off"}:
            return _Unfit(host)
        patterns.append(pattern)
    return tuple(dict.fromkeys(patterns)) or "off"


def _paths(value: object, folder: str) -> object:
    given = _listed(os.fspath(value) if isinstance(value, os.PathLike) else value)
    if isinstance(given, _Unfit):
        return given
    paths = []
    for path in given:
        whole = os.path.expanduser(path)
        if folder:
            whole = os.path.join(folder, whole)
        if not os.path.isabs(whole) or not whole.isprintable():  # who grants it must see what it is
            return _Unfit(path)
        paths.append(os.path.normpath(whole).replace("//", "/"))
    return tuple(dict.fromkeys(paths))


def _names(value: object) -> object:
    names = _listed(value)
    if isinstance(names, _Unfit):
        return names
    for name in names:
        if "*" in name[:-1] or "=" in name or not name.isprintable() or name != name.strip():
            return _Unfit(name)
    return tuple(dict.fromkeys(names))


def _listed(value: object) -> list[str] | _Unfit:
    """The texts of a list, none of them empty; a text alone is a list of one."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple | set | frozenset):
        return _Unfit(value)
    texts = [os.fspath(item) if isinstance(item, os.PathLike) else item for item in value]
    wrong = [item for item in texts if not (isinstance(item, str) and item)]
    return _Unfit(wrong[0]) if wrong else [item for item in texts if isinstance(item, str)]
