"""The table of commands: each is declared in the section that it is listed under, once. `_quick` reads it, and so does `_click`.

Above it: the two readers and the overview; below it: `_declaration`. It imports no handler, and a section only when one of
its commands is asked for: every process of the command reads the table.
"""

from __future__ import annotations

import sys

from plughost.cli._declaration import flag, option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from plughost.cli._declaration import Command, Family

__all__ = ["COMMANDS", "GLOBAL_OPTIONS"]

#: Understood before the command and after it.
GLOBAL_OPTIONS = (
    option("--store", "PATH", "The folder that holds what is installed", env="PLUGHOST_HOME", completes="path"),
    flag("--quiet -q", "Print results and errors, and nothing else"),
    flag("--color", "Use colors, also outside of a terminal", env="FORCE_COLOR"),
    flag("--no-color", "Use no colors", env="NO_COLOR"),
)

#: The modules beside this one, and the commands that each declares.
_SECTIONS = {
    "plugins": ("add", "run", "list", "info", "remove"),
    "life": ("update", "rollback", "pin", "unpin", "enable", "disable"),
    "records": ("logs", "replay", "stats"),
    "sharing": ("export", "lock", "sync"),
    "finding": ("search", "index add", "index list", "index remove", "index update", "index build"),
    "health": ("doctor", "repair", "gc"),
    "trust": ("audit", "sbom", "config"),
    "policies": ("policy show", "policy set", "policy reset"),
    "hooks": ("hooks", "check"),
    "authors": ("new", "dev"),
    "daemon": ("up", "down"),
    "sessions": ("session start", "session call", "session list", "session stop", "session stats"),
    "shell": ("completion",),
}


class _Commands:
    """The commands by name, in the order in which they are shown. A name may have two words: `index add`."""

    def __init__(self) -> None:
        self._sections = {name: section for section, names in _SECTIONS.items() for name in names}
        self._families = {name.split()[0]: section for name, section in self._sections.items() if " " in name}

    def __getitem__(self, name: str) -> Command:
        commands: tuple[Command, ...] = _section(self._sections[name]).COMMANDS
        return next(command for command in commands if command.name == name)

    def first_words(self) -> list[str]:
        """What may follow the program's name: commands, and families of commands, in the order in which they are shown."""
        return list(dict.fromkeys(name.split()[0] for name in self))

    def family(self, word: str) -> Family | None:
        """The commands whose names begin with this word and have another one; None if there are none."""
        if word not in self._families:
            return None
        families: tuple[Family, ...] = _section(self._families[word]).FAMILIES
        return next(family for family in families if family.name == word)

    def __iter__(self) -> Iterator[str]:
        return iter(self._sections)

    def __len__(self) -> int:
        return len(self._sections)

    def get(self, name: str) -> Command | None:
        known = name in self
        return self[name] if known else None

    def values(self) -> Iterator[Command]:
        return (self[name] for name in self)

    def __contains__(self, name: object) -> bool:
        return name in self._sections


def _section(name: str) -> ModuleType:
    module = f"{__name__}.{name}"
    __import__(module)  # importlib would take longer than the rest of this module
    return sys.modules[module]


COMMANDS = _Commands()
