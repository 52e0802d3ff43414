'''The module that stands before an entry point of the older kind: a function with the signature that the package file describes.

Above it: `_legacy`; below it: the package file's record. What it makes is read by Python 3.8 and later:

    """Made by plughost from `package.yaml`."""

    import importlib as _plughost_importlib
    import typing as _typing

    _plughost_module = _plughost_importlib.import_module("weather")
    _plughost_target = _plughost_module.forecast


    def forecast(city: str, days: _typing.Optional[int] = None):
        """Forecasts.

        Args:
            city: the name of a town
            days: how many days (short: -d)
        """
        given = {"city": city}
        if days is not None:
            given["days"] = days
        return _plughost_target(**given)
'''

from __future__ import annotations

import math
from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.source._argument import Argument
    from plughost.source._package_file import PackageFile

__all__ = ["Target", "render"]

_ANNOTATIONS = {"any": "_typing.Any", "dict": "dict", "path": "_pathlib.Path"}

#: How the shim calls a target of each kind, so that it is of that kind itself; "" passes on what comes back, whatever it is.
_CALLS = {
    "": ("def", "    return {call}"),
    "coroutine": ("async def", "    return await {call}"),
    "generator": ("def", "    yield from {call}"),
    "async-generator": ("async def", "    async for _plughost_item in {call}:\n        yield _plughost_item"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The callable `name` (with dots, if it is nested) of `module`; `kind` is a key of `_CALLS`.

    `instance_of` is the class whose method it is, if it is called on an instance, which is made once.
    """

    module: str
    name: str
    kind: str
    instance_of: str = ""

    @property
    def function(self) -> str:
        """The name of the function that stands before it."""
        name = self.name.rpartition(".")[2]
        return self.instance_of.rpartition(".")[2] if name == "__call__" else name

    @property
    def needs_shim(self) -> bool:
        """Whether an entry point can't name it."""
        return "-" in self.module or bool(self.instance_of)

    @property
    def lines(self) -> list[str]:
        """Python source that gives it the name `_plughost_target`."""
        found = f"_plughost_module.{self.name}"
        if self.instance_of:
            found = f"_plughost_module.{self.instance_of}().{self.name.removeprefix(f'{self.instance_of}.')}"
        return [f"_plughost_module = _plughost_importlib.import_module({self.module!r})", f"_plughost_target = {found}"]


def render(package: PackageFile, target: Target) -> str:
    """The module's text."""
    head = [_literal(f"Made by plughost from `{package.file}`."), "", "import importlib as _plughost_importlib"]
    if not package.arguments:  # its own signature holds
        return "\n".join([*head, "", *target.lines, f"{target.function} = _plughost_target"]) + "\n"
    # Python wants parameters without a default first.
    arguments = sorted(package.arguments, key=lambda argument: not argument.required)
    define, call = _CALLS[target.kind]
    lines = [
        *head,
        "import copy as _plughost_copy",
        "import pathlib as _pathlib",
        "import typing as _typing",
        "",
        *target.lines,
        "",
        "",
        f"{define} {target.function}({', '.join(map(_parameter, arguments))}):",
        *_docstring(package, arguments),
        "    _plughost_given = {}",
        *(line for argument in arguments for line in _passing(argument)),
        call.format(call="_plughost_target(**_plughost_given)"),
    ]
    return "\n".join(lines) + "\n"


def _parameter(argument: Argument) -> str:
    annotation = _annotation(argument)
    if argument.required:
        return f"{argument.name}: {annotation}"
    if argument.default is None:
        return f"{argument.name}: _typing.Optional[{annotation}] = None"
    return f"{argument.name}: {annotation} = {_default(argument)}"


def _annotation(argument: Argument) -> str:
    choices = f"_typing.Literal[{', '.join(map(_literal, argument.choices))}]" if argument.choices else ""
    if argument.kind == "list":
        return f"_typing.List[{choices}]" if choices else "list"
    return choices or _ANNOTATIONS.get(argument.kind, argument.kind)


def _default(argument: Argument) -> str:
    text = _literal(argument.default)
    return f"_pathlib.Path({text})" if argument.kind == "path" and not argument.choices else text


def _passing(argument: Argument) -> list[str]:
    """Only what was given, or has a default in the package file, reaches the target."""
    name = argument.name
    # A default that the target changes would be another one in the next call.
    value = f"_plughost_copy.deepcopy({name})" if isinstance(argument.default, list | dict) else name
    given = f"_plughost_given[{name!r}] = {value}"
    if argument.required or argument.default is not None:
        return [f"    {given}"]
    return [f"    if {name} is not None:", f"        {given}"]


def _docstring(package: PackageFile, arguments: list[Argument]) -> list[str]:
    described = [(argument.name, _help(argument)) for argument in arguments]
    lines = [package.description, "", "Args:", *(f"    {name}: {text}" for name, text in described if text)]
    text = "\n".join(lines if any(text for _, text in described) else lines[:1])
    return [f"    {_literal(text)}"] if text.strip() else []


def _help(argument: Argument) -> str:
    short = f"(short: -{argument.short})" if argument.short else ""
    return f"{argument.help} {short}".strip()


def _literal(value: object) -> str:
    """Python source for a JSON value."""
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {_literal(item)}' for key, item in value.items())}}}"
    return repr(value)
