"""A command-line program as a tool: a click command, or a typer app, called with its words by position.

Above it: the loading of targets; below it: the plugin's own click. Called as it is, such a command reads this process's command
line, and ends the process.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol, TypeGuard

    class Command(Protocol):
        name: str | None
        help: str | None

        def main(self, args: list[str], *, prog_name: str, standalone_mode: bool) -> object: ...


__all__ = ["is_command", "tool_of"]


def is_command(found: object) -> TypeGuard[Command]:
    return _is_of(found, "click", "Command") or _is_of(found, "typer", "Typer")


def tool_of(command: Command) -> object:
    """A function that runs the command and gives what its callback returns; what click refuses is raised."""
    if _is_of(command, "typer", "Typer"):
        command = sys.modules["typer.main"].get_command(command)
    name = command.name or "command"

    main = command.main

    def run(*words: str) -> object:
        return main(list(words), prog_name=name, standalone_mode=False)

    run.__name__ = run.__qualname__ = name
    run.__doc__ = command.help
    return run


def _is_of(found: object, module: str, name: str) -> bool:
    """Whether it is an instance of that class, of a library that the plugin has imported."""
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(found, kind)
