"""How a command is declared: its words, its parameters, and the function that does it, by name.

Above it: the table of commands and its two readers; below it: nothing. Plain classes, because the table is read by every
process of the command.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Value = str | bool | tuple[str, ...] | None

__all__ = ["GRANTS", "JSON", "LIMITS", "Command", "Family", "Parameter", "Values", "argument", "flag", "option"]


class Parameter:
    """An option, or an argument that is known by its place.

    `flags` are an option's spellings, the long one first; an argument has none. `env` is the variable that stands in for the
    option where it isn't given; whoever uses the value reads it. `completes` says what a shell may offer: `plugin`, `tool` or
    `path`.
    """

    __slots__ = ("choices", "completes", "env", "flags", "help", "is_flag", "metavar", "multiple", "name", "required")

    def __init__(
        self,
        name: str,
        *,
        flags: tuple[str, ...] = (),
        metavar: str = "",
        help: str = "",  # noqa: A002 - click's name for it
        is_flag: bool = False,
        multiple: bool = False,
        required: bool = False,
        choices: tuple[str, ...] = (),
        env: str = "",
        completes: str = "",
    ) -> None:
        self.name = name
        self.flags = flags
        self.metavar = metavar
        self.help = help
        self.is_flag = is_flag
        self.multiple = multiple
        self.required = required
        self.choices = choices
        self.env = env
        self.completes = completes

    @property
    def absent(self) -> Value:
        """Its value where it isn't given."""
        if self.is_flag:
            return False
        return () if self.multiple else None


def argument(
    name: str,
    metavar: str,
    *,
    multiple: bool = False,
    required: bool = True,
    choices: tuple[str, ...] = (),
    completes: str = "",
) -> Parameter:
    return Parameter(name, metavar=metavar, multiple=multiple, required=required, choices=choices, completes=completes)


def option(
    flags: str,
    metavar: str,
    help: str,  # noqa: A002
    *,
    multiple: bool = False,
    choices: tuple[str, ...] = (),
    env: str = "",
    completes: str = "",
) -> Parameter:
    """An option with a value; `flags` are its spellings, separated by spaces."""
    spellings = tuple(flags.split())
    name = _name_of(spellings[0])
    return Parameter(
        name, flags=spellings, metavar=metavar, help=help, multiple=multiple, choices=choices, env=env, completes=completes
    )


def flag(flags: str, help: str, *, env: str = "") -> Parameter:  # noqa: A002
    """An option that is given or not."""
    spellings = tuple(flags.split())
    return Parameter(_name_of(spellings[0]), flags=spellings, help=help, is_flag=True, env=env)


def _name_of(spelling: str) -> str:
    return spelling.lstrip("-").replace("-", "_")


class Command:
    """A command of the command line. `handler` is `module:function`, loaded when the command is run.

    The name has one word, or two, of which the first is that of a `Family`.
    `description` is paragraphs; one whose lines are indented is printed as it stands. `examples` are a command line without the
    program's name, and what it does.
    """

    __slots__ = ("description", "examples", "group", "handler", "name", "parameters", "summary")

    def __init__(
        self,
        name: str,
        *,
        group: str,
        summary: str,
        description: str,
        parameters: tuple[Parameter, ...],
        examples: tuple[tuple[str, str], ...],
        handler: str,
    ) -> None:
        self.name = name
        self.group = group
        self.summary = summary
        self.description = description
        self.parameters = parameters
        self.examples = examples
        self.handler = handler


class Family:
    """The commands whose names begin with the same word, and what there is to say of all of them."""

    __slots__ = ("description", "group", "name", "summary")

    def __init__(self, name: str, *, group: str, summary: str, description: str) -> None:
        self.name = name
        self.group = group
        self.summary = summary
        self.description = description


class Values:
    """What was given for the parameters of one command, the global options included."""

    __slots__ = ("_by_name",)

    def __init__(self, by_name: Mapping[str, Value]) -> None:
        self._by_name = dict(by_name)

    def optional(self, name: str) -> str | None:
        """The text of a parameter; None where it wasn't given."""
        value = self._by_name.get(name)
        return value if isinstance(value, str) else None

    def text(self, name: str) -> str:
        return self.optional(name) or ""

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._by_name.get(name)
        return value if isinstance(value, tuple) else ()

    def flag(self, name: str) -> bool:
        return self._by_name.get(name) is True

    def but(self, **values: Value) -> Values:
        """The same with other values for these."""
        return Values({**self._by_name, **values})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Values) and self._by_name == other._by_name

    def __hash__(self) -> int:
        return hash(tuple(sorted(self._by_name.items(), key=lambda item: item[0])))

    def __repr__(self) -> str:
        return f"Values({self._by_name!r})"


#: The option that every command has which shows something.
JSON = flag("--json", "Print one JSON document, an error too")

_PRESETS = ("trusted", "default", "strict")
#: What a machine may be unable to enforce, as the sandbox names it.
WAIVABLE = ("files", "file-names", "calls", "hosts", "memory", "processes", "signals", "watched")

#: The options of commands that install: what a plugin is granted.
GRANTS = (
    option("--grant", "all|none|NAME=VALUE", "Grant what the plugin asks for, nothing of it, or this", multiple=True),
    option("--policy", "PRESET", "Grant what this preset has", choices=_PRESETS),
)

#: The options that say what a plugin may use. What they allow is added to what it may use anyhow.
LIMITS = (
    option("--policy", "PRESET", "Let it use what this preset has, instead of what it was granted", choices=_PRESETS),
    option("--allow-net", "HOST[:PORT]", "Let it reach this host too", multiple=True),
    option("--read", "PATH", "Let it read this file or folder too", multiple=True, completes="path"),
    option("--write", "PATH", "Let it read and write this file or folder too", multiple=True, completes="path"),
    option("--memory", "SIZE", "As much memory as its processes may take, such as 512MiB, or unlimited"),
    option("--cpu", "TIME", "As much time of the processor as a call may take, such as 30s, or unlimited"),
)
