"""Finding one installed plugin: two small files, no lock, nothing imported that a call can't wait for."""

from __future__ import annotations

import os

from plughost._names import NAME_RULE, is_name, normalized
from plughost.errors import PluginDisabled, StoreError, UnknownError, UsageError
from plughost.paths import Store, read_file, scan
from plughost.registry._state import State, is_entry, read_state
from plughost.runner import wire

__all__ = [
    "Installed",
    "find",
    "find_callable",
    "installed_names",
    "normalize_name",
    "pointed_to",
    "stamp",
    "state_of",
    "switch",
    "unknown",
    "unreadable",
]

_LONGEST_NAME = 100
_MOST_SHOWN = 10
_SHORTEST_COMMIT = 4


class Installed:
    """A revision of a plugin, by default the one in force: where it is, and its manifest as it was written.

    `state` is the plugin's as it was when the revision was looked for.
    """

    __slots__ = ("folder", "manifest", "name", "python", "revision", "state", "venv")

    def __init__(self, store: Store, name: str, revision: str, manifest: dict[str, object], state: State) -> None:
        self.name = name
        self.revision = revision
        self.state = state
        self.folder = os.path.join(store.plugin(name), revision)
        self.manifest = manifest
        key = str(manifest["venv"])
        if not is_entry(key):
            raise ValueError(f"`venv` is `{key}`, which is no key of an environment")
        self.venv = os.path.join(store.venvs, key)
        self.python = os.path.join(self.venv, "bin", "python")


def normalize_name(name: str) -> str:
    """The normalized form of a package's or plugin's name; it is also safe as the name of a folder.

    Raises: UsageError: it is no valid name.
    """
    lowered = normalized(name.strip())
    if not is_name(lowered) or len(lowered) > _LONGEST_NAME:
        raise UsageError(
            f"`{name}` is not a valid plugin name",
            reference="name-invalid",
            causes=[NAME_RULE],
            hint="`plughost list` shows the names of what is installed"
            if "@" not in name
            else f"A name has no version: leave out `@{name.partition('@')[2]}`",
        )
    return lowered


def find(store: Store, name: str) -> Installed:
    """The plugin of that name, in the revision that is in force.

    `NAME@VERSION` is one of the revisions that are kept: by its version, the beginning of its commit, or its own name.

    Raises: UsageError: no valid name. UnknownError: not installed. StoreError: its files can't be read.
    """
    bare, at, version = name.partition("@")
    normalized = normalize_name(bare)
    state = state_of(store, normalized)
    while state is not None:
        revision = _revision_called(normalized, version.strip(), state) if at else state.revision
        try:
            return _load(store, normalized, revision, state)
        except (OSError, wire.WireError, KeyError, ValueError) as error:
            now = state_of(store, normalized)
            if now is not None and now.pack() == state.pack():
                raise _damaged(store, normalized, revision, error) from error
            state = now  # another process has put a further revision in force, and dropped this one
    raise unknown(store, normalized)


def find_callable(store: Store, name: str) -> Installed:
    """As `find`, of a plugin that may be called.

    Raises: as `find`. PluginDisabled.
    """
    installed = find(store, name)
    if installed.state.disabled:
        raise PluginDisabled(
            f"`{installed.name}` is disabled",
            hint=f"`enable {installed.name}` lets it be called again",
        )
    return installed


def switch(store: Store, name: str) -> str:
    """The file that is replaced whenever another revision of the plugin comes into force, or it is disabled.

    Raises: UsageError: no valid name.
    """
    return os.path.join(store.plugin(normalize_name(name.partition("@")[0])), "current")


def stamp(switch: str) -> tuple[int, int] | None:
    """What changes with that file; None where there is none."""
    try:
        state = os.stat(switch)
    except OSError:
        return None
    return state.st_mtime_ns, state.st_ino


def state_of(store: Store, name: str) -> State | None:
    """The plugin's state; None where it isn't installed. `name` is normalized.

    Raises: StoreError: the state is damaged, or this user may not read it.
    """
    folder = store.plugin(name)
    try:
        return read_state(folder)
    except PermissionError as error:
        raise unreadable(store, error) from error
    except (OSError, ValueError):
        if not os.path.isdir(folder):
            return None
    try:
        return read_state(folder)  # a folder comes whole, by one rename: this one is damaged, or has come just now
    except FileNotFoundError as error:
        if not os.path.isdir(folder):  # it went just now
            return None
        raise _damaged(store, name, "", error) from error
    except (OSError, ValueError) as error:
        raise _damaged(store, name, "", error) from error


def pointed_to(plugin: str) -> str:
    """The revision that is in force in the folder of a plugin; "" if that can't be told.

    It names a folder beside it and nothing else, whatever was written there.
    """
    try:
        return read_state(plugin).revision
    except PermissionError:
        raise
    except (OSError, ValueError):
        return ""


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
    from plughost._wording import did_you_mean, listed

    hint = "Nothing is installed yet: `add SOURCE` adds a plugin"
    if names := installed_names(store):
        hint = did_you_mean(name, names) or f"Installed are {listed(names, most=_MOST_SHOWN)}"
    return UnknownError(f"No plugin named `{name}` is installed", reference="plugin-unknown", hint=hint)


def unreadable(store: Store, error: OSError) -> StoreError:
    return StoreError(f"The store at `{store.root}` can't be read", reference="store-corrupt", causes=[str(error)])


def _load(store: Store, name: str, revision: str, state: State) -> Installed:
    manifest = read_file(os.path.join(store.plugin(name), revision, "manifest.json"))
    return Installed(store, name, revision, wire.unpack(manifest), state)


def _revision_called(name: str, version: str, state: State) -> str:
    """Which of the revisions that are kept `version` means; of several with that version, the one in force or last in force.

    Raises: UnknownError: none of them.
    """
    for matches in (_is_called, _is_same_version):
        for revision in state.revisions:
            if matches(revision, version):
                return revision
    from plughost._wording import listed

    kept = listed(revision.partition("-")[0] for revision in state.revisions)
    raise UnknownError(
        f"`{name}` is not installed in the version `{version}`",
        reference="version-unknown",
        causes=[f"The versions that are kept: {kept}"],
        hint=f"`info {name}` shows where it comes from; `add SOURCE@TAG` installs a further version",
    )


def _is_called(revision: str, version: str) -> bool:
    """A revision's name is VERSION-COMMIT-RANDOM, with the first digits of the commit."""
    its_version, _, rest = revision.partition("-")
    commit = rest.partition("-")[0]
    begins = len(version) >= _SHORTEST_COMMIT and bool(commit) and version.lower()[: len(commit)] == commit[: len(version)]
    return version in {revision, its_version} or begins


def _is_same_version(revision: str, version: str) -> bool:
    """`1.2` is `1.2.0`, and `v1.2`."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(revision.partition("-")[0]) == Version(version)
    except InvalidVersion:
        return False


def _damaged(store: Store, name: str, revision: str, error: Exception) -> StoreError:
    file = os.path.join(revision, "manifest.json") if revision else "current"
    from plughost._wording import said

    return StoreError(
        f"The files of `{name}` are damaged",
        reference="store-corrupt",
        causes=[f"`{os.path.join(store.plugin(name), file)}`: {said(error)}"],
        hint=f"`repair {name}` mends it, `remove {name}` takes it away",
    )
