"""Finding one installed plugin: two small files, no lock, nothing imported that a call can't wait for."""

from __future__ import annotations

import os

from plughost._names import normalized
from plughost.errors import StoreError, UnknownError, UsageError
from plughost.paths import Store, scan
from plughost.runner import wire

__all__ = ["Installed", "find", "installed_names", "normalize_name", "pointed_to", "stamp", "switch", "unknown", "unreadable"]

_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_LONGEST_NAME = 100
_MOST_SHOWN = 10
_MOST_REVISION_BYTES = 1 << 10


class Installed:
    """The revision of a plugin that is in force: where it is, and its manifest as it was written."""

    __slots__ = ("folder", "manifest", "name", "python", "revision", "venv")

    def __init__(self, store: Store, name: str, revision: str, manifest: dict[str, object]) -> None:
        self.name = name
        self.revision = revision
        self.folder = os.path.join(store.plugin(name), revision)
        self.manifest = manifest
        key = str(manifest["venv"])
        if not _is_entry(key):
            raise ValueError(f"`venv` is `{key}`, which is no key of an environment")
        self.venv = os.path.join(store.venvs, key)
        self.python = os.path.join(self.venv, "bin", "python")


def normalize_name(name: str) -> str:
    """The normalized form of a package's or plugin's name; it is also safe as the name of a folder.

    Raises: UsageError: it is no valid name.
    """
    lowered = normalized(name.strip())
    if (
        not lowered
        or not _NAME_CHARACTERS.issuperset(lowered)
        or lowered[0] == "-"
        or lowered[-1] == "-"
        or len(lowered) > _LONGEST_NAME
    ):
        raise UsageError(
            f"`{name}` is not a valid plugin name",
            reference="name-invalid",
            causes=["A name has ASCII letters and digits, with single `-`, `_` or `.` between them"],
            hint="`plughost list` shows the names of what is installed",
        )
    return lowered


def find(store: Store, name: str) -> Installed:
    """The plugin of that name.

    Raises: UsageError: no valid name. UnknownError: not installed. StoreError: its files can't be read.
    """
    normalized = normalize_name(name)
    revision = current_revision(store, normalized)
    while revision is not None:
        try:
            return _load(store, normalized, revision)
        except (OSError, wire.WireError, KeyError, ValueError) as error:
            now = current_revision(store, normalized)
            if now == revision:
                raise _damaged(store, normalized, revision, error) from error
            revision = now  # another process has put a further revision in force, and dropped this one
    raise unknown(store, normalized)


def switch(store: Store, name: str) -> str:
    """The file that is replaced whenever another revision of the plugin comes into force.

    Raises: UsageError: no valid name.
    """
    return os.path.join(store.plugin(normalize_name(name)), "current")


def stamp(switch: str) -> tuple[int, int] | None:
    """What changes with that file; None where there is none."""
    try:
        state = os.stat(switch)
    except OSError:
        return None
    return state.st_mtime_ns, state.st_ino


def current_revision(store: Store, name: str) -> str | None:
    """The revision that `current` names, "" if it names none; None where the plugin isn't installed.

    Raises: StoreError: this user may not read it.
    """
    folder = store.plugin(name)
    try:
        revision = pointed_to(folder)
        if not revision and os.path.isdir(folder):
            revision = pointed_to(folder)  # a folder comes whole, by one rename: this one is damaged, or has come just now
        return revision if revision or os.path.isdir(folder) else None
    except PermissionError as error:
        raise unreadable(store, error) from error


def pointed_to(plugin: str) -> str:
    """The revision that is in force in the folder of a plugin; "" if that can't be told.

    It names a folder beside it and nothing else, whatever was written there.
    """
    try:
        with open(os.path.join(plugin, "current"), "rb") as file:
            revision = file.read(_MOST_REVISION_BYTES).decode().strip()
    except PermissionError:
        raise
    except (OSError, UnicodeDecodeError):
        return ""
    return revision if _is_entry(revision) else ""


def installed_names(store: Store) -> list[str]:
    """The names of the plugins that are installed, the damaged ones included, sorted.

    Raises: StoreError: this user may not read them.
    """
    try:
        return sorted(entry.name for entry in scan(store.plugins) if entry.is_dir())
    except OSError as error:
        raise unreadable(store, error) from error


def unknown(store: Store, name: str) -> UnknownError:
    """The error for a plugin that isn't there, with the names that come near."""
    import difflib

    names = installed_names(store)
    near = difflib.get_close_matches(name, names, n=3)
    if near:
        hint = "Did you mean " + " or ".join(f"`{other}`" for other in near) + "?"
    elif names:
        hint = (
            "Installed are "
            + ", ".join(f"`{other}`" for other in names[:_MOST_SHOWN])
            + (", …" if len(names) > _MOST_SHOWN else "")
        )
    else:
        hint = "Nothing is installed yet: `plughost add SOURCE` adds a plugin"
    return UnknownError(f"No plugin named `{name}` is installed", reference="plugin-unknown", hint=hint)


def unreadable(store: Store, error: OSError) -> StoreError:
    return StoreError(f"The store at `{store.root}` can't be read", reference="store-corrupt", causes=[str(error)])


def _load(store: Store, name: str, revision: str) -> Installed:
    if not revision:
        raise ValueError("It doesn't name a revision")
    with open(os.path.join(store.plugin(name), revision, "manifest.json"), "rb") as file:
        return Installed(store, name, revision, wire.unpack(file.read()))


def _damaged(store: Store, name: str, revision: str, error: Exception) -> StoreError:
    file = os.path.join(revision, "manifest.json") if revision else "current"
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return StoreError(
        f"The files of `{name}` are damaged",
        reference="store-corrupt",
        causes=[f"`{os.path.join(store.plugin(name), file)}`: {said}"],
        hint=f"Add it again with `--force`, or `plughost remove {name}`",
    )


def _is_entry(name: str) -> bool:
    """Whether it is the name of one entry of a folder, and of no place elsewhere."""
    return bool(name) and "\0" not in name and os.path.basename(name) == name and name not in {".", ".."}
