"""Consent: what a plugin asks to be permitted beyond the default, and what it is granted when it is added or updated.

Above it: `add` and `Host`; below it: the policies and the registry. A plugin asks in its `pyproject.toml`, or in a file in its
wheel; what it asks for stands in its manifest, and what it was granted in its state, and in the receipt.
"""

from __future__ import annotations

import glob
import tomllib
import zipfile

from plughost import registry
from plughost._policies import pack_grant, unpack_grant
from plughost.errors import BuildError, GrantNeeded, PlughostError, UsageError
from plughost.policy import DEFAULT, KEYS, Policy, exceeding, shown_value, table_of, terms_of, widened, widest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from plughost._policies import GivenPolicy, Policies
    from plughost.paths import Store

    Terms = Mapping[str, object]
    #: `all` or `none` of what is asked for; a policy, a preset's name or a table; or a function that is asked.
    GivenGrant = GivenPolicy | Callable[["Permissions"], GivenPolicy | bool | None]

__all__ = ["Consent", "Permissions", "asked_by", "chosen", "in_files", "in_wheel", "needed", "regrant", "settle"]

#: In a package, beside its modules, or in its `.dist-info`: what is the table `[tool.plughost.permissions]` of a source tree.
FILE = "plughost-permissions.toml"
_MOST_BYTES = 1 << 16


class Permissions:
    """What a plugin asks for, as whoever may grant it is asked. `more` are the keys of what it doesn't have without an answer.

    `table` is all that it asks for, as it would stand in a file of settings; `granted` what it has been granted up to now.
    `is_new` unless it is installed.
    """

    __slots__ = ("granted", "is_new", "more", "name", "table", "version")

    def __init__(
        self,
        name: str,
        version: str,
        *,
        table: Mapping[str, object],
        more: tuple[str, ...],
        granted: Mapping[str, object],
        is_new: bool = True,
    ) -> None:
        self.name = name
        self.version = version
        self.table = table
        self.more = more
        self.granted = granted
        self.is_new = is_new

    def lines(self) -> list[str]:
        """What it asks for and doesn't have, one thing a line: `network: api.example.com:443`."""
        terms = terms_of(self.table)
        return [f"{key}: {shown_value(field, terms[field])}" for key, field in _keys(terms) if key in self.more]


class Consent:
    """What a plugin is granted from now on, or None where nobody has granted or refused it anything.

    `for_state` is that as the registry keeps it, None if it is to stay as it is.
    """

    __slots__ = ("for_state", "grant")

    def __init__(self, grant: Terms | None, *, is_new: bool) -> None:
        self.grant = grant
        self.for_state = pack_grant(grant) if is_new else None


def asked_by(manifest: Mapping[str, object]) -> dict[str, object]:
    """The fields that a plugin asks for, by its manifest."""
    table = manifest.get("permissions")
    return terms_of(table) if isinstance(table, dict) else {}


def settle(
    store: Store,
    name: str,
    version: str,
    manifest: Mapping[str, object],
    *,
    given: GivenGrant | None,
    policies: Policies,
) -> Consent:
    """What a plugin is granted, which may be what it has been.

    `given` is the answer, or who is asked. Where a plugin wants no more than it was granted, or asked for before, nobody is.

    Raises: GrantNeeded: it wants more, and there is nobody to ask.
    """
    wanted = asked_by(manifest)
    before, asked_before = _before(store, name)
    if given is not None and not callable(given):
        return Consent(chosen(given, wanted), is_new=True)
    whole = DEFAULT.replace(**wanted)
    known = widest(DEFAULT, policies.base, DEFAULT.replace(**(before or {})), DEFAULT.replace(**asked_before))
    more = exceeding(whole, known)
    if not more:
        limits_itself = before is None and bool(wanted) and not exceeding(whole, DEFAULT)
        return Consent(wanted if limits_itself else before, is_new=limits_itself)
    keys = tuple(key for key, field in _keys(wanted) if field in more)
    is_new = before is None and registry.state_of(store, name) is None
    permissions = Permissions(name, version, table=table_of(wanted), more=keys, granted=table_of(before or {}), is_new=is_new)
    if given is None:
        raise needed(permissions, _how_from_python(permissions))
    answer = given(permissions)
    if answer is True:
        return Consent(_merged(before or {}, wanted), is_new=True)
    if answer is None or isinstance(answer, bool):
        return Consent(before or {}, is_new=before is None)
    return Consent(chosen(answer, wanted), is_new=True)


def chosen(given: GivenPolicy, wanted: Terms) -> Terms:
    """What somebody grants who says so ahead: `all` of what is wanted, `none` of it, or what they say themselves."""
    if given == "all":
        return wanted
    return {} if given == "none" else terms_of(given)


def regrant(store: Store, name: str, given: GivenPolicy | None) -> bool:
    """Change what an installed plugin was granted; None takes it back. False if nothing changes.

    Raises: UnknownError: it isn't installed. StoreError: it can't be read or written.
    """
    if given is None:
        return registry.mark(store, name, grant="")
    installed = registry.find(store, name)
    return registry.mark(store, name, grant=pack_grant(chosen(given, asked_by(installed.manifest))))


def in_wheel(path: Path) -> dict[str, object]:
    """The table of permissions in a wheel; empty if it has none.

    Raises: BuildError: it can't be read.
    """
    with zipfile.ZipFile(path) as archive:
        name = _nearest(archive.namelist())
        return _read(name, archive.read(name)) if name and archive.getinfo(name).file_size <= _MOST_BYTES else {}


def in_files(environment: Path, files: Iterable[str]) -> dict[str, object]:
    """The table of permissions of an installed package, one of whose `files` it is; empty if it has none.

    Raises: BuildError: it can't be read.
    """
    name = _nearest(files)
    for path in environment.glob(f"lib/python*/site-packages/{glob.escape(name)}") if name else ():
        return _read(name, path.read_bytes()) if path.stat().st_size <= _MOST_BYTES else {}
    return {}


def _nearest(files: Iterable[str]) -> str:
    """The file of permissions that lies the least deep: in `.dist-info`, or beside the modules of the package."""
    found = [name for name in files if name.rpartition("/")[2] == FILE and ".." not in name.split("/")]
    return min(found, key=lambda name: (name.count("/"), ".dist-info/" not in name, name), default="")


def _read(name: str, data: bytes) -> dict[str, object]:
    try:
        table = tomllib.loads(data.decode())
        terms_of(table, at="permissions")
    except (ValueError, RecursionError) as error:
        said = error.message if isinstance(error, UsageError) else str(error)
        raise BuildError(
            f"`{name}` can't be read",
            reference="permissions-invalid",
            causes=[said],
            hint="Tell the package's author: it is what `[tool.plughost.permissions]` of a `pyproject.toml` would be",
        ) from error
    return table


def _keys(terms: Terms) -> list[tuple[str, str]]:
    return [(key, field) for key, field in KEYS.items() if field in terms]


def _before(store: Store, name: str) -> tuple[dict[str, object] | None, dict[str, object]]:
    """What the plugin of that name was granted, and what it had asked for, as far as that can be read."""
    try:
        installed = registry.find(store, name)
        return unpack_grant(installed.state.grant), asked_by(installed.manifest)
    except (PlughostError, ValueError):
        return None, {}


def _merged(before: Terms, wanted: Terms) -> dict[str, object]:
    """What was granted before, and what is wanted."""
    both = Policy.of_sound({**DEFAULT.as_record(), **before})
    return {**before, **wanted, **widened(both, {name: value for name, value in wanted.items() if name in before})}


def needed(permissions: Permissions, hint: str) -> GrantNeeded:
    """The error where nobody answers; the hint is for whoever could."""
    error = GrantNeeded(
        f"`{permissions.name}` {permissions.version} asks for permissions that nobody has granted",
        causes=permissions.lines(),
        hint=hint,
    )
    error.plugin, error.permissions = permissions.name, permissions.table
    return error


def _how_from_python(permissions: Permissions) -> str:
    name = permissions.name
    call = '`grant="all"` with the same call' if permissions.is_new else f'`host.update("{name}", grant="all")`'
    return f'{call} grants it, `grant="none"` nothing, a table what it says; a function is asked'
