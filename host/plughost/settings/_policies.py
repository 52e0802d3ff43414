"""Policies in the settings: for all plugins (`policy`), or by the plugin's name (`[policies.NAME]`).

Above it: `_load`; below it: the reader of policies. A project's file narrows what plugins have and gives them nothing, because it
may have come with somebody else's repository: so what it says is kept apart.
"""

from __future__ import annotations

import os

from plughost._names import normalized
from plughost._wording import shown
from plughost.errors import UsageError
from plughost.settings._document import invalid, prefix_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["read_policies", "refuse_of_project"]


def read_policies(path: str, key: str, value: object) -> dict[str, object]:
    """By plugin, "" for all of them, what the key `policy` or `policies` says: the name of a preset, or the fields of a table.

    Raises: UsageError: it can't be read.
    """
    if key == "policy":
        return {"": _read(path, key, value)}
    if not isinstance(value, dict):
        raise invalid(path, f"`{prefix_of(path)}{key}` is `{shown(value)}`, and takes a table of policies by the plugin's name")
    return {normalized(name): _read(path, f"{key}.{name}", policy) for name, policy in value.items()}


def refuse_of_project(path: str, said: Mapping[str, object], user: str) -> None:
    """Raises: UsageError: a project's file chooses the preset that only the operator chooses."""
    for name, policy in said.items():
        if policy == "trusted":
            where = f"policies.{name}" if name else "policy"
            raise invalid(
                path,
                f"`{prefix_of(path)}{where}` is `trusted`: a project's file narrows what plugins may use, and gives them nothing",
                hint=f"Say it in `{user}`, by `PLUGHOST_POLICY`, or for one plugin: `policy set NAME --policy trusted`",
            )


def _read(path: str, key: str, value: object) -> object:
    from plughost.policy import terms_of

    if not isinstance(value, str | dict):
        raise invalid(path, f"`{prefix_of(path)}{key}` is `{shown(value)}`, and takes the name of a preset, or a table")
    try:
        terms = terms_of(value, folder=os.path.dirname(path), at=f"{prefix_of(path)}{key}")
    except UsageError as error:
        raise invalid(path, error.message, hint=error.hint) from error
    return value if isinstance(value, str) else terms
