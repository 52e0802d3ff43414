"""Finding one installed plugin: two small files, no lock, nothing imported that a call can't wait for."""

from __future__ import annotations

import os

from plughost._names import normalized
from plughost.errors import StoreError, UnknownError, UsageError
from plughost.paths import Store, scan
from plughost.runner import wire

__all__ = ["Installed", "find", "installed_names", "normalize_name", "stamp", "unknown"]

_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_LONGEST_NAME = 100
_MOST_SHOWN = 10


class Installed:
    """The revision of a plugin that is in force: where it is, and its manifest as it was written."""

    __slots__ = ("folder", "manifest", "name", "python", "revision", "venv")

    def __init__(self, store: Store, name: str, revision: str, manifest: dict[str, object]) -> None:
        self.name = name
        self.revision = revision
        self.folder = os.path.join(store.plugin(name), revision)
        self.manifest = manifest
        self.venv = os.path.join(store.venvs, str(manifest["venv"]))
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
    if revision is None:
        raise unknown(store, normalized)
    path = os.path.join(store.plugin(normalized), revision, "manifest.json")
    try:
        with open(path, "rb") as file:
            manifest = wire.unpack(file.read())
        return Installed(store, normalized, revision, manifest)
    except (OSError, wire.WireError, KeyError) as error:
        raise StoreError(
            f"The files of `{normalized}` are damaged",
            reference="store-corrupt",
            causes=[f"`{path}`: {error}"],
            hint=f"Add it again with `--force`, or `plughost remove {normalized}`",
        ) from error


def stamp(store: Store, name: str) -> tuple[int, int] | None:
    """What changes whenever another revision of the plugin comes into force; None where there is none.

    Raises: UsageError: no valid name.
    """
    try:
        state = os.stat(os.path.join(store.plugin(normalize_name(name)), "current"))
    except OSError:
        return None
    return state.st_mtime_ns, state.st_ino


def current_revision(store: Store, name: str) -> str | None:
    """The revision that `current` names; None where the plugin isn't installed."""
    try:
        with open(os.path.join(store.plugin(name), "current"), encoding="utf-8") as file:
            revision = file.read().strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"The store at `{store.root}` can't be read", reference="store-corrupt", causes=[str(error)]) from error
    # It names a folder beside it and nothing else, whatever was written there.
    return revision if revision and os.path.basename(revision) == revision and revision not in {".", ".."} else ""


def installed_names(store: Store) -> list[str]:
    """The names of the plugins that are installed, the damaged ones included, sorted."""
    return sorted(entry.name for entry in scan(store.plugins) if os.path.lexists(os.path.join(entry.path, "current")))


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
