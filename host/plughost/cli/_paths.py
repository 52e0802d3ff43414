"""Files that are named on a command line, for a plugin that works in a folder of its own.

Above it: `run`; below it: the policies. A relative path means a file of the user's folder. Where the plugin may use that file, it
is given the whole path; where it may not, the user is told how it may.
"""

from __future__ import annotations

import os

from plughost.call import resolved

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from plughost.errors import PluginError
    from plughost.policy import Policy

__all__ = ["explain_missing", "make_whole", "takes_paths"]

_NOT_THERE = ("FileNotFoundError", "NotADirectoryError", "PermissionError")


def takes_paths(tool: Mapping[str, object]) -> bool:
    """Whether a parameter of the tool is a path."""
    return any(_is_path(schema, _parameters(tool)) for _name, schema in _properties(tool))


def make_whole(args: list[object], kwargs: dict[str, object], tool: Mapping[str, object], policy: Policy, folder: str) -> None:
    """Make relative paths whole which lead, from `folder`, to what the policy lets be used."""
    root = _parameters(tool)
    for number, (name, schema) in enumerate(_properties(tool)):
        if not _is_path(schema, root):
            continue
        if name in kwargs:
            kwargs[name] = _whole(kwargs[name], policy, folder)
        elif number < len(args):
            args[number] = _whole(args[number], policy, folder)


def explain_missing(
    error: PluginError, given: Iterable[object], policy: Callable[[], Policy], folder: str, *, is_made_whole: bool = False
) -> None:
    """Say so if the plugin didn't find a file which is there, and which its policy keeps from it.

    `given` is what the plugin was given, `is_made_whole` whether relative paths are, once they are allowed.
    """
    if error.builtin_name not in _NOT_THERE:
        return
    missed: object = getattr(error, "filename", None)
    for text in _texts(given):
        path = os.path.normpath(os.path.join(folder, text))
        if isinstance(missed, str) and missed not in {text, path}:
            continue
        if not _is_name(text) or policy().is_trusted:
            continue
        whole = "" if os.path.isabs(text) or is_made_whole else f"; and name it by its whole path, `{path}`"
        if not os.path.exists(path):
            parent = os.path.dirname(path)
            if os.sep in text and os.path.isdir(parent) and not _is_allowed(parent, policy()):
                error.hint = f"The plugin may not use `{parent}`: `--write {parent}` lets it write there{whole}"
                return
        elif not _is_allowed(path, policy()):
            error.hint = (
                f"The plugin may not use `{text}`: `--read {text}` lets it read that, `--write {text}` also write to it{whole}"
            )
            return
        elif not os.path.isabs(text):
            error.hint = f"The plugin works in a folder of its own: name the file by its whole path, `{path}`"
            return


def _parameters(tool: Mapping[str, object]) -> Mapping[str, object]:
    parameters = tool.get("parameters")
    return parameters if isinstance(parameters, dict) else {}


def _properties(tool: Mapping[str, object]) -> list[tuple[str, object]]:
    properties = _parameters(tool).get("properties")
    return list(properties.items()) if isinstance(properties, dict) else []


def _is_path(schema: object, root: Mapping[str, object]) -> bool:
    """Whether a schema is that of a path, of several, or of a path or something else."""
    if not isinstance(schema, dict):
        return False
    schema = resolved(schema, root)
    options = schema.get("anyOf")
    parts = [*(options if isinstance(options, list) else []), schema.get("items")]
    return schema.get("format") == "path" or any(_is_path(part, root) for part in parts)


def _whole(value: object, policy: Policy, folder: str) -> object:
    if isinstance(value, list):
        return [_whole(item, policy, folder) for item in value]
    if not (isinstance(value, str) and _is_name(value)) or os.path.isabs(value):
        return value
    path = os.path.normpath(os.path.join(folder, value))
    return path if _is_allowed(path, policy) else value


def _is_name(text: str) -> bool:
    return bool(text) and "\0" not in text and "\n" not in text


def _is_allowed(path: str, policy: Policy) -> bool:
    from plughost.sandbox import may_read

    return may_read(policy, os.path.normpath(path))


def _texts(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from _texts(value)
