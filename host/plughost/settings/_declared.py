"""Plugins that a file declares: `[plugins.NAME]` in `plughost.toml`, `[tool.plughost.plugins.NAME]` in `pyproject.toml`.

Above it: what brings a machine to a declared set; below it: the file. It says what was written, with paths made absolute, and
installs nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plughost._names import NAME_RULE, is_name, normalized
from plughost._wording import shown
from plughost.errors import UsageError
from plughost.settings._document import FILE, invalid, prefix_of, read_document, refuse_unknown
from plughost.settings._instant import as_text
from plughost.settings._keys import KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DeclaredPlugin", "DeclaredSet", "read_declared"]

#: What a table of a plugin may have, and what that takes.
_TAKES = {
    "source": "a text, as `add` takes it",
    "python": "a text",
    "extras": "a list of texts",
    "with": "a list of texts",
    "constraint": "a text",
    "exclude-newer": "a date such as `2026-01-31`, or a time such as `7 days`",
    "entry-points": "a table of texts such as `MODULE:OBJECT`",
    "pin": "`true` or `false`",
    "enabled": "`true` or `false`",
}
_HOW = f"Make a `{FILE}` with a table `[plugins.NAME]` and a `source` in it for each plugin"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredPlugin:
    """One table. `written_source` is the source as it stands in the file; in `source`, as in `constraint`, a path is absolute."""

    name: str
    source: str
    written_source: str
    python: str
    extras: tuple[str, ...]
    with_: tuple[str, ...]
    constraint: str
    exclude_newer: str
    entry_points: Mapping[str, str]
    pin: bool
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredSet:
    """All plugins of the file at `path`, by name, sorted."""

    path: str
    plugins: Mapping[str, DeclaredPlugin]

    @property
    def lock_path(self) -> str:
        """Where the lock of this set is: beside the file."""
        folder, name = os.path.split(self.path)
        stem = os.path.splitext(FILE if name == "pyproject.toml" else name)[0]
        return os.path.join(folder, f"{stem}.lock")


def read_declared(path: str) -> DeclaredSet:
    """The set that the file at `path` declares, or the `plughost.toml` or `pyproject.toml` in the folder at `path`.

    Raises: UsageError: there is no such file, it declares no plugins, or it can't be used.
    """
    path = _file_at(os.path.abspath(os.path.expanduser(path)))
    document = read_document(path)
    refuse_unknown(path, document, (*KEYS, "plugins"))
    tables = document.get("plugins")
    if not isinstance(tables, dict):
        if tables is None:
            example = f"[{prefix_of(path)}plugins.weather]"
            raise invalid(path, "It declares no plugins", hint=f"A table such as `{example}` with a `source` declares one")
        raise invalid(path, f"`{prefix_of(path)}plugins` is `{shown(tables)}`, and takes a table")
    plugins: dict[str, DeclaredPlugin] = {}
    for written, table in tables.items():
        name = _name(path, written)
        if name in plugins:
            raise invalid(path, f"`{prefix_of(path)}plugins.{written}` is there twice: the name stands for `{name}`")
        plugins[name] = _Table(path, written, table).read(name)
    return DeclaredSet(path=path, plugins=dict(sorted(plugins.items())))


def _file_at(path: str) -> str:
    if not os.path.isdir(path):
        if os.path.isfile(path):
            return path
        raise UsageError(f"There is no file `{path}`", reference="settings-invalid", hint=_HOW)
    ours, project = os.path.join(path, FILE), os.path.join(path, "pyproject.toml")
    if os.path.isfile(ours):
        return ours
    if os.path.isfile(project) and "plugins" in read_document(project, lenient=True):
        return project
    raise UsageError(f"There is no `{FILE}` in `{path}`", reference="settings-invalid", hint=_HOW)


def _name(path: str, written: str) -> str:
    name = normalized(written.strip())
    if not is_name(name):
        causes = [f"`{prefix_of(path)}plugins.{written}` is not a valid plugin name"]
        raise invalid(path, *causes, hint=NAME_RULE)
    return name


class _Table:
    """The table of one plugin, being read."""

    def __init__(self, path: str, written: str, table: object) -> None:
        self._path = path
        self._folder = os.path.dirname(path)
        self._keys = f"{prefix_of(path)}plugins.{written}"
        if isinstance(table, str):  # `weather = "git+https://…"`
            table = {"source": table}
        if not isinstance(table, dict):
            raise invalid(path, f"`{self._keys}` is `{shown(table)}`, and takes a table with a `source`")
        self._table = table
        refuse_unknown(path, table, _TAKES, within=f"plugins.{written}.")

    def read(self, name: str) -> DeclaredPlugin:
        source = self._text("source")
        if not source:
            raise invalid(self._path, f"`{self._keys}.source` is missing, and takes {_TAKES['source']}")
        constraint = self._text("constraint")
        return DeclaredPlugin(
            name=name,
            source=self._absolute(source) if _is_relative(source) else source,
            written_source=source,
            python=self._text("python"),
            extras=self._texts("extras"),
            with_=self._texts("with"),
            constraint=self._absolute(constraint) if constraint else "",
            exclude_newer=self._instant("exclude-newer"),
            entry_points=self._entry_points("entry-points"),
            pin=self._switch("pin", absent=False),
            enabled=self._switch("enabled", absent=True),
        )

    def _absolute(self, path: str) -> str:
        return os.path.normpath(os.path.join(self._folder, os.path.expanduser(path)))

    def _text(self, key: str) -> str:
        value = self._table.get(key, "")
        if not isinstance(value, str):
            raise self._misfit(key)
        return value.strip()

    def _texts(self, key: str) -> tuple[str, ...]:
        value = self._table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self._misfit(key)
        return tuple(value)

    def _switch(self, key: str, *, absent: bool) -> bool:
        value = self._table.get(key, absent)
        if not isinstance(value, bool):
            raise self._misfit(key)
        return value

    def _instant(self, key: str) -> str:
        value = self._table.get(key, "")
        text = "" if value == "" else as_text(value)
        if text is None:
            raise self._misfit(key)
        return text

    def _entry_points(self, key: str) -> dict[str, str]:
        value = self._table.get(key, {})
        if not isinstance(value, dict):
            raise self._misfit(key)
        for name, target in value.items():
            if not isinstance(target, str) or not all(target.partition(":")):
                text = f"`{self._keys}.{key}.{name}` is `{shown(target)}`, and takes a text such as `MODULE:OBJECT`"
                raise invalid(self._path, text)
        return {str(name): str(target) for name, target in value.items()}

    def _misfit(self, key: str) -> UsageError:
        return invalid(self._path, f"`{self._keys}.{key}` is `{shown(self._table[key])}`, and takes {_TAKES[key]}")


def _is_relative(source: str) -> bool:
    """Whether it is a path that the folder of the file completes, as `add` completes it by the working directory."""
    if "://" in source or source.startswith(("git+", "/")):
        return False
    is_file = source.lower().endswith((".whl", ".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tar.xz"))
    return source.startswith((".", "~")) or (" " not in source and ":" not in source and (is_file or "/" in source))
