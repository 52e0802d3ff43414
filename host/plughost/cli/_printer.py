"""The one printer: results as JSON or for people, messages, and errors.

Above it: the commands; below it: the two output streams. It knows nothing of plugins.
"""

from __future__ import annotations

from plughost.cli._surroundings import OWN
from plughost.cli._terminal import Stream, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.cli._surroundings import Surroundings
    from plughost.errors import PlughostError

__all__ = ["Printer", "compact", "escaped", "home_as_tilde", "visible"]


class Printer:
    """Prints to the standard output and the standard error.

    `quiet` leaves out all but results and errors. `command` is what a command in a hint begins with.
    """

    __slots__ = ("_surroundings", "command", "err", "out", "quiet")

    def __init__(
        self,
        *,
        quiet: bool = False,
        color: bool | None = None,
        command: str = "plughost",
        surroundings: Surroundings = OWN,
    ) -> None:
        self._surroundings = surroundings
        self.quiet = quiet
        self.command = command
        self.out = Stream("stdout", color=color, surroundings=surroundings)
        self.err = Stream("stderr", color=color, surroundings=surroundings)

    def line(self, text: str = "") -> None:
        """A line of a result, for people."""
        self.out.write(home_as_tilde(visible(text, painted=True), self._surroundings.home) + "\n")

    def message(self, text: str = "") -> None:
        """A line that says what was done; nothing if `quiet`."""
        if not self.quiet:
            self.line(text)

    def value(self, value: object) -> None:
        """A tool's result: JSON, indented on a terminal and compact elsewhere; on a terminal a lone string as it is."""
        self._begin_line()
        if self.out.is_terminal and isinstance(value, str):
            self.out.write(value + "\n")
        else:
            self.json(value)

    def json(self, value: object) -> None:
        nested = isinstance(value, dict | list | tuple | set | frozenset)
        text = indented(value) if nested and self.out.is_terminal else compact(value)
        self.out.write((escaped(text) if self.out.is_terminal else text).encode() + b"\n")

    def item(self, value: object) -> None:
        """An item of a stream, on one line."""
        self._begin_line()
        if self.out.is_terminal and isinstance(value, str) and "\n" not in value:
            self.out.write(value + "\n")
        else:
            text = compact(value)
            self.out.write((escaped(text) if self.out.is_terminal else text).encode() + b"\n")

    def error(self, error: PlughostError, *, as_json: bool = False) -> None:
        """An error: for people to the standard error, or as a JSON record to the standard output."""
        if as_json:
            self.json({"error": self.record(error)})
            return
        self.err.end_line()
        trace = getattr(error, "remote_traceback", "")
        if trace:
            self.err.write(self.err.paint("dim", visible(trace.rstrip("\n"))) + "\n")
        self.err.write(home_as_tilde(self._error_text(error), self._surroundings.home))

    def record(self, error: PlughostError) -> dict[str, object]:
        """The error for a program, its hint as it can be typed here."""
        return {**error.record(), "hint": self.typed(error.hint) or None}

    def _begin_line(self) -> None:
        """What a plugin prints may end within a line; on a terminal the result would go on there."""
        if self.out.is_terminal and self.err.is_terminal:
            self.err.end_line()

    def _error_text(self, error: PlughostError) -> str:
        err = self.err
        lines = [f"{err.paint('red', 'error')}: {err.highlight(_paragraph(error.message))}"]
        lines += [f"  {err.paint('dim', 'Caused by')}: {err.highlight(_paragraph(cause))}" for cause in error.causes]
        if error.log:
            lines.append(f"{err.paint('dim', 'log')}: {visible(error.log)}")
        if error.hint:
            lines += ["", f"{err.paint('cyan', 'hint')}: {err.highlight(visible(self.typed(error.hint)))}"]
        return "\n".join(lines) + "\n"

    def typed(self, hint: str) -> str:
        """A hint with the program's name before each command: what is in backticks, begins with a verb and has more words."""
        from plughost.cli.table import COMMANDS

        parts, first_words = hint.split("`"), COMMANDS.first_words()
        for number in range(1, len(parts), 2):
            verb, space, _ = parts[number].partition(" ")
            if space and verb in first_words:
                parts[number] = f"{self.command} {parts[number]}"
        return "`".join(parts)


def compact(value: object) -> str:
    """The value as JSON on one line, by the rules of the wire; bytes are base64 text."""
    from plughost.runner.wire import WireError, pack

    # A message without a payload goes out as it is, if JSON has all of it: then the json module need not be imported.
    try:
        return pack({"": value})[0][len('{"":') : -len("}\n")].decode()
    except WireError:
        return _dumped(value, separators=(",", ":"))


def indented(value: object) -> str:
    """The same on several lines."""
    return _dumped(value, indent=2)


def _dumped(value: object, *, indent: int | None = None, separators: tuple[str, str] | None = None) -> str:
    import json

    from plughost.runner.wire import plain

    text = json.dumps(plain(value), ensure_ascii=False, indent=indent, separators=separators)
    try:
        text.encode()
    except UnicodeEncodeError:  # lone surrogates: JSON can escape them, UTF-8 has no form for them
        return json.dumps(plain(value), indent=indent, separators=separators)
    return text


def escaped(text: str) -> str:
    """The same JSON, with those control characters escaped that JSON allows as they are, and terminals obey."""
    return text if text.isprintable() else "".join(f"\\u{ord(c):04x}" if "\x7f" <= c <= "\x9f" else c for c in text)


def home_as_tilde(text: str, home: str = "") -> str:
    """The text with paths in the user's home folder written `~/…`."""
    home = (home or OWN.home).rstrip("/")
    if not home.startswith("/") or home not in text:
        return text
    # Only where a path begins: the same letters inside a URL or another path are no home. And without `re`: its import is slow.
    first, *others = text.split(home)
    parts = [first]
    for part in others:
        before = parts[-1][-1:] or (home[-1] if len(parts) > 1 else " ")
        begins = not (before.isalnum() or before in "_/.~:-")
        ends = not part or part[0].isspace() or part[0] in "/`'\",:;)"
        parts += ["~" if begins and ends else home, part]
    return "".join(parts)


def _paragraph(text: str) -> str:
    return visible(text).replace("\n", "\n    ")
