"""What somebody says of a policy, in whichever form: a policy, a preset's name, a table, `NAME=VALUE`.

Above it: the settings, the command line, the host, what a plugin asks for; below it: the record, and the reader of tables.
"""

from __future__ import annotations

from plughost.errors import UsageError
from plughost.policy._fields import NUMBERS, PRESET
from plughost.policy._policy import PRESETS, Policy
from plughost.policy._read import field_called, field_value, of_preset, read_table
from plughost.policy._show import mapping_of, written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["parse", "read_term", "table_of", "terms_of"]


def parse(name: str) -> Policy:
    """The preset of that name.

    Raises: UsageError: there is none.
    """
    of_preset(name, PRESETS, at="policy")
    return PRESETS[name]


def terms_of(given: Policy | Mapping[str, object] | str, *, folder: str = "", at: str = "policy") -> dict[str, object]:
    """The fields that somebody speaks of, and their values: a policy, or a preset's name, of all; a table of what it names.

    `at` is where it stands, for what is said of a mistake. Relative paths are of `folder`; without one they are refused.

    Raises: UsageError: a key or a value that can't be.
    """
    if isinstance(given, Policy):
        return given.as_record()
    if isinstance(given, str):
        return of_preset(given, PRESETS, at=at)
    if not hasattr(given, "items"):
        raise UsageError(f"`{at}` is `{given!r}`, and takes the name of a preset, or a table", reference="policy-invalid")
    return read_table(given, PRESETS, folder=folder, at=at)


def table_of(terms: Mapping[str, object]) -> dict[str, object]:
    """The table that is read as these terms; where they speak of all fields, by a preset's name and what differs from it."""
    if len(terms) < len(Policy.__slots__):
        return written(terms)
    return mapping_of(terms, PRESETS) or {PRESET: "default"}


def read_term(text: str, *, option: str = "", folder: str = "") -> dict[str, object]:
    """What `NAME=VALUE` says; lists are written with commas, and an empty one as `none`.

    `option` is the one that it is given by, for messages.

    Raises: UsageError: it is no such text, or says what can't be.
    """
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        given = f"{option} ".lstrip()
        raise UsageError(f"`{given}{text}` says nothing", hint=f"Write `{given}NAME=VALUE`, as in `{given}memory=512MiB`")
    if key == PRESET:
        return of_preset(value, PRESETS, at=f"{option} {key}".strip())
    field = field_called(key, option)
    is_list = field not in NUMBERS and not (field == "network" and value in {"on", "off"})
    items = [item.strip() for item in value.split(",") if item.strip()]
    values: object = value if not is_list else [] if items == ["none"] else items
    return {field: field_value(field, values, key=f"{option} {key}".strip(), folder=folder)}
