"""The quick reader: plain, well-formed command lines and nothing else.

Above it: `__main__`; below it: the table of commands. What it isn't sure of, it leaves to `_click`: help, abbreviations,
mistakes. What it does read, it reads as click would.
"""

from __future__ import annotations

from plughost.cli._declaration import Values
from plughost.cli.table import COMMANDS, GLOBAL_OPTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from plughost.cli._declaration import Command, Parameter, Value

__all__ = ["parse"]


def parse(argv: Sequence[str]) -> tuple[Command, Values] | None:
    """The command and the values of its parameters, the global options included; None if this is for click."""
    options = {spelling: parameter for parameter in GLOBAL_OPTIONS for spelling in parameter.flags}
    given: dict[str, Value] = {}
    rest = list(reversed(argv))
    while rest and rest[-1].startswith("-"):
        if not _take_option(rest, options, given):
            return None
    command = _take_command(rest)
    if command is None:
        return None
    options.update((spelling, parameter) for parameter in command.parameters for spelling in parameter.flags)
    places: list[str] = []
    while rest:
        if rest[-1] == "--":
            rest.pop()
            places += reversed(rest)
            break
        if rest[-1].startswith("-") and rest[-1] != "-":
            if not _take_option(rest, options, given):
                return None
        else:
            places.append(rest.pop())
    arguments = [parameter for parameter in command.parameters if not parameter.flags]
    if not _take_arguments(places, arguments, given):
        return None
    return command, Values({**_absent(command.parameters), **_absent(GLOBAL_OPTIONS), **given})


def _take_command(rest: list[str]) -> Command | None:
    """Move the command's name, of one word or of two, from the end of `rest`."""
    if not rest:
        return None
    word = rest.pop()
    if (command := COMMANDS.get(word)) or not rest:
        return command
    return COMMANDS.get(f"{word} {rest.pop()}")


def _take_option(rest: list[str], options: dict[str, Parameter], given: dict[str, Value]) -> bool:
    """Move one option from the end of `rest` to `given`. False: not sure."""
    spelling, equals, value = rest.pop().partition("=")
    parameter = options.get(spelling)
    if parameter is None or (equals and (parameter.is_flag or not spelling.startswith("--"))):
        return False
    if parameter.is_flag:
        given[parameter.name] = True
        return True
    if not equals:
        if not rest or (rest[-1].startswith("-") and rest[-1] != "-"):
            return False
        value = rest.pop()
    if value.startswith("--"):
        return False
    if parameter.choices and value not in parameter.choices:
        return False
    before = given.get(parameter.name)
    given[parameter.name] = (*(before if isinstance(before, tuple) else ()), value) if parameter.multiple else value
    return True


def _take_arguments(places: list[str], arguments: list[Parameter], given: dict[str, Value]) -> bool:
    """Give the values known by their place to `arguments`, of which the last may take several. False: they don't fit."""
    for argument in arguments:
        if argument.required and not places:
            return False
        if argument.multiple:
            given[argument.name] = tuple(places)
            places = []
        elif places:
            value = places.pop(0)
            if argument.choices and value not in argument.choices:
                return False
            given[argument.name] = value
    return not places


def _absent(parameters: Iterable[Parameter]) -> dict[str, Value]:
    return {parameter.name: parameter.absent for parameter in parameters}
