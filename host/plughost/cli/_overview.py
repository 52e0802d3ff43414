"""What `plughost --help` prints, made from the table of commands without click."""

from __future__ import annotations

from plughost.cli.table import COMMANDS, GLOBAL_OPTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from plughost.cli._declaration import Parameter
    from plughost.cli._terminal import Stream

__all__ = ["overview", "version"]

_WIDTH = 26

_VARIABLES = (
    ("PLUGHOST_HOME", "The folder that holds what is installed"),
    ("NO_COLOR, FORCE_COLOR", "Use no colors; use colors also outside of a terminal"),
    ("PLUGHOST_DEBUG", "Show plughost's own traceback with an error"),
)

_EXAMPLES = (
    "add git+https://example.org/team/weather.git@v1.2",
    "run weather city=Bern days=3",
    "info weather",
)


def overview(program: str, out: Stream, *, store: bool = True, words: Collection[str] = ()) -> str:
    """The page, of the commands with these first words, or of all. `store` is whether users may choose the store."""
    commands = [COMMANDS.family(word) or COMMANDS[word] for word in words or COMMANDS.first_words()]
    lines = [
        "Run Python packages from anywhere, each in a virtual environment of its own.",
        "",
        f"{out.paint('bold', 'Usage:')} {out.paint('cyan', program)} [OPTIONS] COMMAND …",
    ]
    for group in dict.fromkeys(command.group for command in commands):
        lines += ["", out.paint("bold", f"{group}:")]
        lines += [_row(c.name, c.summary, out) for c in commands if c.group == group]
    lines += ["", out.paint("bold", "Options, before a command or after it:")]
    lines += [_row(_spelling(o), _help(o), out) for o in GLOBAL_OPTIONS if store or o.name != "store"]
    lines += [_row("--version, -V", "Print the version", out), _row("--help, -h", "Print this page, or a command's", out)]
    lines += ["", out.paint("bold", "Environment variables:")]
    lines += [_row(name, text, out) for name, text in _VARIABLES]
    lines += ["", out.paint("bold", "Examples:")]
    lines += [f"  {out.paint('cyan', f'{program} {example}')}" for example in _EXAMPLES]
    lines += ["", f"`{program} COMMAND --help` shows a command's arguments, its options and examples.", ""]
    return "\n".join(lines)


def version(program: str) -> str:
    from plughost import __version__

    return f"{program} {__version__}"


def _spelling(parameter: Parameter) -> str:
    return ", ".join(parameter.flags) + (f" {parameter.metavar}" if parameter.metavar else "")


def _help(parameter: Parameter) -> str:
    return parameter.help + (f" [env: {parameter.env}]" if parameter.env else "")


def _row(name: str, text: str, out: Stream) -> str:
    return f"  {out.paint('cyan', name)}{' ' * max(2, _WIDTH - len(name))}{text}"
