"""What a call is given on the command line, and by the standard input or files that this names: arguments, a time, variables.

Above it: the commands that make calls; below it: the types of a tool's parameters, which say how a text is meant.
"""

from __future__ import annotations

from plughost.cli._arguments import parse_json, read_piped, typed
from plughost.cli._surroundings import OWN
from plughost.errors import UsageError
from plughost.runner.wire import WireError, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from plughost.cli._declaration import Values
    from plughost.cli._surroundings import Surroundings

__all__ = ["read_arguments", "read_array", "read_object", "read_timeout", "read_variable"]

_LONGEST_TIMEOUT_S = 1e6  # eleven days; beyond some months, poll(2) can't count the milliseconds


def read_arguments(
    values: Values, tool: str, schema: dict[str, object], surroundings: Surroundings
) -> tuple[list[object], dict[str, object]]:
    """The arguments by position and by name, from all the ways in which they can be given."""
    parameters = schema.get("parameters")
    parameters = parameters if isinstance(parameters, dict) else {}
    by_position, by_name, piped = (values.optional(name) for name in ("args", "kwargs", "stdin_as"))
    if (by_position, by_name).count("-") + (piped is not None) > 1:
        raise UsageError("The standard input can be read once, and is asked for twice", reference="usage")
    args = [] if by_position is None else read_array(by_position, surroundings)
    kwargs = {} if by_name is None else read_object(by_name, surroundings)
    pairs = typed(map(_utf_8, values.texts("arguments")), parameters, tool=tool)
    if piped is not None and piped in pairs:
        raise _twice(piped, tool)
    if piped is not None:
        pairs[piped] = read_piped(piped, _standard_input(surroundings), parameters, tool=tool)
    for name, value in pairs.items():
        if name in kwargs:
            raise _twice(name, tool)
        kwargs[name] = value
    return args, kwargs


def read_array(given: str, surroundings: Surroundings = OWN) -> list[object]:
    value = parse_json(_document(given, "--args", surroundings), what="What `--args` gives")
    if not isinstance(value, list):
        raise _invalid("What `--args` gives is not a JSON array", hint="`--args '[\"Bern\", 3]'`")
    return value


def read_object(given: str, surroundings: Surroundings = OWN) -> dict[str, object]:
    text = _document(given, "--kwargs", surroundings)
    try:
        return unpack(text.encode("utf-8", "surrogateescape"))
    except WireError:  # the C scanner alone has no words for what is wrong; the json module does
        value = parse_json(text, what="What `--kwargs` gives")
    if not isinstance(value, dict):
        raise _invalid("What `--kwargs` gives is not a JSON object", hint='`--kwargs \'{"city": "Bern"}\'`')
    return value


def _document(given: str, option: str, surroundings: Surroundings) -> str:
    """The text itself, that of the file after an `@`, or the standard input for `-`."""
    try:
        if given == "-":
            return _standard_input(surroundings).decode()
        if given.startswith("@"):
            with open(surroundings.path(given[1:]), "rb") as file:
                return file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _invalid(f"What `{option}` gives is not UTF-8", causes=[str(error)]) from None
    except OSError as error:
        raise _invalid(f"The file `{given[1:]}` of `{option}` can't be read", causes=[error.strerror or str(error)]) from None
    return _utf_8(given)


def _utf_8(text: str) -> str:
    """The text as UTF-8 has it: in a locale without that, Python leaves the bytes of an argument undecoded."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def _standard_input(surroundings: Surroundings) -> bytes:
    data = surroundings.read_input()
    if data is None:
        raise UsageError("The standard input is closed", reference="usage")
    return data


def read_timeout(given: str | None) -> float | None:
    if given is None:
        return None
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST_TIMEOUT_S:
        raise UsageError(f"`--timeout {given}` is no number of seconds above 0", reference="usage")
    return seconds


def read_variable(given: str, surroundings: Surroundings = OWN) -> tuple[str, str]:
    """`NAME=VALUE`, or `NAME` with the value that it has here."""
    name, equals, value = given.partition("=")
    if not name or (not equals and name not in surroundings.environment):
        raise UsageError(
            f"`--env {given}` passes nothing",
            reference="usage",
            causes=["No such variable is set" if name else "It has no name"],
            hint="`--env NAME` passes a variable that is set, `--env NAME=VALUE` sets one",
        )
    return name, value if equals else surroundings.environment[name]


def _twice(name: str, tool: str) -> UsageError:
    return _invalid(
        f"The argument `{name}` of `{tool}` is given twice",
        causes=["`--kwargs`, `--stdin-as` and `KEY=VALUE` can't give the same argument"],
    )


def _invalid(message: str, *, causes: Iterable[str] = (), hint: str = "") -> UsageError:
    return UsageError(message, reference="arguments-invalid", causes=causes, hint=hint)
