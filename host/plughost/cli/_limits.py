"""The options that say what a plugin may use: for one call, or from now on.

Above it: `run` and `policy set`; below it: the policies, imported where an option was given.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost._policies import Command
    from plughost.cli._declaration import Values

__all__ = ["are_given", "command_of", "more_of", "said_of"]

_WORDS = ("policy", "memory", "cpu")
_LISTS = {"allow_net": "network", "read": "read", "write": "write"}


def are_given(values: Values) -> bool:
    """Whether one of them is."""
    return any(values.optional(name) is not None for name in _WORDS) or any(
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
    given = [*pairs, *(f"{name}={values.text(name)}" for name in ("memory", "cpu") if values.optional(name) is not None)]
    if not given and not values.text("policy"):
        return {}
    from plughost.cli._grants import granted_terms

    return granted_terms(tuple(given), values.text("policy"), option="--policy")


def more_of(values: Values, folder: str) -> dict[str, object]:
    """The fields that are added to.

    Raises: UsageError: one is given what it doesn't take.
    """
    more: dict[str, object] = {}
    for name, field in _LISTS.items():
        if given := values.texts(name):
            from plughost.policy import terms_of

            more |= terms_of({field: list(given)}, folder=folder, at=f"--{name.replace('_', '-')}")
    return more
