"""One output stream: whether it is a terminal, whether it takes colors, and text and bytes written to it.

Above it: the printer; below it: descriptors. Everything that the command prints goes through here.
"""

from __future__ import annotations

from plughost.cli._surroundings import OWN
from plughost.errors import PlughostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO, Literal, TextIO

    from plughost.cli._surroundings import Surroundings

    Style = Literal["bold", "cyan", "dim", "green", "red", "yellow"]

__all__ = ["Stream", "unwritable", "visible", "wants_color"]

_CODES: dict[Style, str] = {"bold": "1", "cyan": "36", "dim": "2", "green": "1;32", "red": "1;31", "yellow": "33"}
_OURS = {"0", *_CODES.values()}


def wants_color(environment: Mapping[str, str], *, is_terminal: bool) -> bool:
    """Source: no-color.org, force-color.org. An empty variable is none; NO_COLOR is the stronger."""
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return True
    return is_terminal and environment.get("TERM") != "dumb"


def unwritable(error: OSError) -> PlughostError:
    return PlughostError("The standard output can't be written", causes=[error.strerror or str(error)])


def visible(text: str, *, painted: bool = False) -> str:
    """Somebody else's text, with what a terminal would take for an instruction escaped; of a `painted` one all but colors."""
    if text.isprintable():
        return text
    if painted:
        first, *others = text.split("\x1b[")
        return visible(first) + "".join(_after_escape(part) for part in others)
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def _after_escape(text: str) -> str:
    code, m, rest = text.partition("m")
    return f"\x1b[{code}m{visible(rest)}" if m and code in _OURS else visible(f"\x1b[{text}")


class Stream:
    """The standard output or the standard error; `color` overrides what the environment says.

    A stream that the process was started without takes everything and shows nothing.
    """

    __slots__ = ("_bytes", "_ended", "_name", "_surroundings", "_text", "color", "is_terminal")

    def __init__(self, name: str, *, color: bool | None = None, surroundings: Surroundings = OWN) -> None:
        self._name = name
        self._ended = True
        self._surroundings = surroundings
        self._text: TextIO | None = surroundings.stream(name)
        self._bytes: BinaryIO | None = getattr(self._text, "buffer", None)
        self.is_terminal = self._text is not None and self._text.isatty()
        self.color = wants_color(surroundings.environment, is_terminal=self.is_terminal) if color is None else color

    @property
    def can_redraw(self) -> bool:
        return self.is_terminal and self._surroundings.environment.get("TERM") != "dumb"

    def paint(self, style: Style, text: str) -> str:
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.color and text else text

    def highlight(self, text: str) -> str:
        """The text with what stands in backticks in color."""
        if not self.color:
            return text
        parts = text.split("`")
        if len(parts) % 2 == 0:
            return text  # a backtick of its own
        return "".join(self.paint("cyan", f"`{part}`") if number % 2 else part for number, part in enumerate(parts))

    def write(self, text: str | bytes) -> None:
        """Write at once. Text goes out in the stream's encoding, or escaped where that has no form for it.

        Raises: BrokenPipeError: nobody reads the output any more. PlughostError: it can't be written, as on a full disk. What
        can't be written to the standard error is lost, since there is nowhere to say so.
        """
        if self._text is None or not text:
            return
        self._ended = text[-1:] in {"\n", b"\n"}
        try:
            self._write(self._text, text)
        except OSError as error:
            if self._name == "stderr":
                return
            if isinstance(error, BrokenPipeError):
                raise
            raise unwritable(error) from error

    def draw(self, text: str) -> None:
        """Show a line that is not to stay, in the place of the one that was shown so before; none, if it is empty.

        Nothing is shown in the middle of a line that is to stay.
        """
        if self._text is not None and self._ended:
            try:
                self._write(self._text, f"\r\x1b[K{text}")
            except OSError:
                pass

    def end_line(self) -> None:
        """Begin a line, if what was written last is in the middle of one."""
        if not self._ended:
            self.write("\n")

    def _write(self, stream: TextIO, text: str | bytes) -> None:
        encoding = stream.encoding or "utf-8"
        if isinstance(text, str):
            text = text.encode(encoding, "backslashreplace")
        if self._bytes is None:  # a host app has put something of its own in its place
            stream.write(text.decode(encoding, "replace"))
        else:
            self._bytes.write(text)
        stream.flush()

    def width(self) -> int:
        """Its columns; 80 where nobody knows."""
        return self._surroundings.columns()
