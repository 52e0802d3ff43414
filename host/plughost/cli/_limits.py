"""The options that say what a plugin may use: for one call, or from now on.

Above it: `run` and `policy set`; below it: the policies, imported where an option was given.
"""

from __future__ import annotations

from plughost.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost._policies import Command
    from plughost.cli._declaration import Values

__all__ = ["are_given", "command_of", "more_of", "refuse_missing", "said_of"]

_NUMBERS = {"memory": "memory_bytes", "cpu": "cpu_s"}
_LISTS = {"allow_net": "network", "read": "read", "write": "write"}


def are_given(values: Values) -> bool:
    """Whether one of them is."""
    return any(values.optional(name) is not None for name in ("policy", *_NUMBERS)) or any(
        values.texts(name) for name in (*_LISTS, "allow_unenforced")
    )


def command_of(values: Values, folder: str) -> Command | None:
    """What is said by them; None if nothing is. Relative paths are of `folder`."""
    said, more = said_of(values), more_of(values, folder)
    if not (said or more):
        return None
    from plughost._policies import Command

    return Command(said, more)


def said_of(values: Values, pairs: tuple[str, ...] = ()) -> dict[str, object]:
    """The fields that are set, by the options and by `KEY=VALUE`.

    Raises: UsageError: one is said what it doesn't take.
    """
    if not (pairs or values.text("policy") or any(values.optional(name) is not None for name in _NUMBERS)):
        return {}
    from plughost.cli._grants import granted_terms
    from plughost.policy import field_value

    said = granted_terms(pairs, values.text("policy"), option="")
    for name, field in _NUMBERS.items():
        if (given := values.optional(name)) is not None:
            said[field] = field_value(field, given, key=f"--{name}")
    return said


def more_of(values: Values, folder: str) -> dict[str, object]:
    """The fields that are added to.

    Raises: UsageError: one is given what it doesn't take.
    """
    more: dict[str, object] = {}
    for name, field in _LISTS.items():
        if given := values.texts(name):
            from plughost.policy import field_value

            more[field] = field_value(field, given, key=f"--{name.replace('_', '-')}", folder=folder)
    return more


def refuse_missing(values: Values, folder: str) -> None:
    """Raises: UsageError: a file or folder that a call may use isn't there, so that it can be no use to it."""
    import os

    for option in ("read", "write"):
        for given in values.texts(option):
            path = os.path.normpath(os.path.join(folder, os.path.expanduser(given)))
            if not os.path.exists(path):
                there = path
                while not os.path.exists(there):
                    there = os.path.dirname(there)
                made = f"To have it made: `--write {os.path.dirname(path)}`"
                hint = made if option == "write" else f"`{there}` is there; a relative path is of the working folder"
                raise UsageError(f"`--{option} {given}`: there is nothing at `{path}`", hint=hint)
