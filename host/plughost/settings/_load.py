"""Loading the settings: the environment, the project's file and the user's, brought together.

Above it: the host and the command line; below it: `_document`, and the table of keys.
"""

from __future__ import annotations

import os

from plughost._wording import listed
from plughost.errors import UsageError
from plughost.settings._keys import KEYS
from plughost.settings._settings import Place, Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plughost.settings._keys import Key

    Value = str | int | float | bool | tuple[str, ...] | dict[str, object]
    Layer = tuple[Place, dict[str, Value]]

__all__ = ["load", "user_file"]

_OF_POLICIES = ("preset", "policies")
#: Of the kinds that are numbers with a unit the field of a policy that is written the same way.
_FIELDS = {"seconds": "wall_s", "size": "memory_bytes"}

_SWITCHES = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
_PROJECT_FIRST = ("environment", "project", "user")
_OPERATOR_FIRST = ("environment", "user", "project")
_ORDERS = {
    "project": _PROJECT_FIRST,
    "earlier": _PROJECT_FIRST,
    "operator": _OPERATOR_FIRST,
    "narrowing": _OPERATOR_FIRST,
    "operator-alone": _OPERATOR_FIRST,
}


def load(
    folder: str = "", *, document: str = "", only: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Settings:
    """The settings that hold in `folder`, by default the working directory.

    Reads a file where there is one, and else asks only whether there is. `document` is the project's file, where that is known;
    `environment` stands in for the process's own. Where `only` some keys are asked for, a file without them isn't parsed, which
    is what takes time here; the other settings are then not to be relied on.

    Raises: UsageError: a file or a variable has something that can't be used, or that there is no setting for.
    """
    from plughost.settings._document import find_document

    environment = os.environ if environment is None else environment
    folder = _absolute(folder)
    layers = [_variable(KEYS[name], environment, folder) for name in only or KEYS if environment.get(KEYS[name].variable)]
    if project := document or (find_document(folder) if folder else ""):
        layers.append(_file(Place("project", path=project), only))
    user = user_file(environment)
    if user != project and os.path.isfile(user):
        layers.append(_file(Place("user", path=user), only))
    return _together(layers)


def user_file(environment: Mapping[str, str]) -> str:
    """Where the user's own settings are, or would be.

    Source: XDG Base Directory Specification, where a relative path is invalid and to be ignored.
    """
    base = environment.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(environment.get("HOME") or os.path.expanduser("~"), ".config")
    return os.path.join(base, "plughost", "plughost.toml")


def _absolute(folder: str) -> str:
    """The absolute path; "" where the working directory has been deleted."""
    try:
        return os.path.abspath(folder or os.getcwd())
    except FileNotFoundError:
        return ""


def _together(layers: list[Layer]) -> Settings:
    chosen: dict[str, Value] = {}
    origins: dict[str, tuple[Place, ...]] = {}
    for name, key in KEYS.items():
        said = [(place, values[name]) for place, values in layers if name in values]
        if key.decides == "narrowing":
            said = [entry for entry in said if entry[0].level != "project"]
        if not said:
            continue
        if key.decides == "all":
            chosen[name] = tuple(dict.fromkeys(item for _, value in said if isinstance(value, tuple) for item in value))
            origins[name] = tuple(place for place, _ in said)
        else:
            order = _ORDERS[key.decides]
            if key.decides == "earlier" and len(said) > 1:
                said = _earliest(said)
            place, chosen[name] = min(said, key=lambda entry: order.index(entry[0].level))
            origins[name] = (place,)
    settings = _settings(chosen, origins)
    settings.narrowing = _narrowing(layers)
    return settings


def _narrowing(layers: list[Layer]) -> dict[str, object]:
    """What the project's file says of policies."""
    narrowing: dict[str, object] = {}
    for place, values in layers:
        for name in ("policy", "policies"):
            if place.level == "project" and isinstance(said := values.get(name), dict):
                narrowing |= said
    return narrowing


def _earliest(said: list[tuple[Place, Value]]) -> list[tuple[Place, Value]]:
    """What the environment says, else the earlier of what the files say."""
    from plughost.settings._instant import moment

    strongest = [entry for entry in said if entry[0].level == "environment"]
    return strongest or [min(said, key=lambda entry: moment(str(entry[1])))]


def _settings(chosen: Mapping[str, Value], origins: Mapping[str, tuple[Place, ...]]) -> Settings:
    settings = Settings(origins=origins)
    for name, value in chosen.items():
        setattr(settings, KEYS[name].attribute, value[""] if name == "policy" and isinstance(value, dict) else value)
    return settings


def _file(place: Place, only: Sequence[str]) -> Layer:
    from plughost._wording import shown
    from plughost.settings._document import invalid, mentions, prefix_of, read_document, refuse_unknown

    path = place.path
    if only and not mentions(path, only):
        return place, {}
    table = read_document(path)
    refuse_unknown(path, table, (*KEYS, "plugins"))
    values: dict[str, Value] = {}
    for name, found in table.items():
        if name == "plugins":
            continue
        if place.level == "project" and KEYS[name].decides == "operator-alone":
            raise invalid(
                path, f"`{prefix_of(path)}{name}` is for the operator of a machine to say, and this is a project's file"
            )
        value = _policies(place, name, found) if KEYS[name].kind in _OF_POLICIES else _fitting(KEYS[name], found)
        if value is None:
            raise invalid(path, f"`{prefix_of(path)}{name}` is `{shown(found)}`, and takes {wanted(KEYS[name])}")
        values[name] = _placed(KEYS[name], value, os.path.dirname(path))
    return place, values


def _policies(place: Place, name: str, found: object) -> Value:
    from plughost.settings._policies import read_policies, refuse_of_project

    said = read_policies(place.path, name, found)
    if place.level == "project":
        refuse_of_project(place.path, said, user_file(os.environ))
    return said


def _variable(key: Key, environment: Mapping[str, str], folder: str) -> Layer:
    text = environment[key.variable].strip()
    value: object = text
    if key.kind == "switch":
        value = _SWITCHES.get(text.lower())
    elif key.kind == "count":
        value = int(text) if text.isascii() and text.isdigit() else None
    elif key.kind == "patterns":
        value = text.split()
    elif key.kind == "names":
        value = text.replace(",", " ").split()
    fitting = _fitting(key, value)
    if fitting is None:
        raise UsageError(
            f"The variable `{key.variable}` can't be used",
            reference="settings-invalid",
            causes=[f"It is `{text}`, and takes {wanted(key)}"],
        )
    return Place("environment", variable=key.variable), {key.name: _placed(key, fitting, folder)}


def _fitting(key: Key, value: object) -> Value | None:
    """The value, if it is one that the key takes."""
    if key.kind == "switch":
        return value if isinstance(value, bool) else None
    if key.kind in {"count", *_FIELDS}:
        return _number(key, value)
    if key.kind in {"patterns", "names"}:
        return tuple(value) if isinstance(value, list) and all(isinstance(item, str) and item for item in value) else None
    if key.kind == "instant" and value != "":
        from plughost.settings._instant import as_text

        return as_text(value)
    if key.kind in _OF_POLICIES:  # of a variable
        from plughost.policy import PRESETS

        return value if key.kind == "preset" and isinstance(value, str) and value in PRESETS else None
    return value if isinstance(value, str) and (not key.choices or value in ("", *key.choices)) else None


def _number(key: Key, value: object) -> int | float | None:
    if key.kind == "count":
        return value if isinstance(value, int) and not isinstance(value, bool) and value >= 1 else None
    from plughost.policy._read import field_value

    try:
        number = field_value(_FIELDS[key.kind], value)
    except UsageError:
        return None
    return number if isinstance(number, int | float) else float("inf")


def wanted(key: Key) -> str:
    """The values that the key takes, in words."""
    if key.choices:
        return listed(key.choices, between=" or ")
    words = {
        "instant": "a date such as `2026-01-31`, or a time such as `7 days`",
        "switch": "`true` or `false`",
        "count": "a whole number, 1 or more",
        "patterns": "a list of texts",
        "names": "a list of texts",
        "preset": "`trusted`, `default` or `strict`",
        "policies": "tables, and stands in a file",
        "seconds": "a time such as `30 s` or `5 min`, or `unlimited`",
        "size": "a size such as `512 MiB`, or `unlimited`",
    }
    return words.get(key.kind, "a text")


def _placed(key: Key, value: Value, folder: str) -> Value:
    """A path is relative to the folder of the file that it stands in."""
    if isinstance(value, str) and value and (key.kind == "path" or (key.kind == "python" and os.sep in value)):
        return os.path.abspath(os.path.join(folder, os.path.expanduser(value)))
    return value
