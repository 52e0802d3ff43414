"""What `add` is doing, on one line of a terminal that is drawn again and again, and erased at the end."""

from __future__ import annotations

import _thread
import time
from contextlib import contextmanager

from plughost._wording import counted
from plughost.cli._terminal import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from plughost._request import Progress
    from plughost.cli._terminal import Stream

__all__ = ["ProgressLine"]

_REDRAW_S = 0.1
_ERASE = "\r\x1b[K"


class ProgressLine:
    """Call it with each stage; as a context manager it leaves no trace. Silent unless `stream` is a terminal that can redraw."""

    def __init__(self, stream: Stream, *, quiet: bool) -> None:
        self._stream = stream
        self._shows = stream.can_redraw and not quiet
        self._text = ""
        self._drawing = _thread.allocate_lock()
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        if self._shows:
            import threading

            self._ended = threading.Event()
            self._drawer = threading.Thread(target=self._draw_until_ended, daemon=True)
            self._drawer.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._shows:
            self._ended.set()
            self._drawer.join()
            self._stream.write(_ERASE)

    def __call__(self, progress: Progress) -> None:
        count = progress.packages
        of = f" ({counted(count, 'package')})" if count and str(count) not in progress.detail else ""
        self._text = f"{progress.detail}{of}"

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Draw nothing while the block asks something on the same terminal."""
        with self._drawing:
            if self._shows:
                self._stream.write(_ERASE)
            yield

    def say(self, text: str) -> None:
        """Write a line that stays."""
        self._stream.write(f"{_ERASE if self._shows else ''}{text}\n")

    def _draw_until_ended(self) -> None:
        while not self._ended.wait(_REDRAW_S):
            with self._drawing:
                self._draw()

    def _draw(self) -> None:
        if self._text:
            elapsed = f"{time.monotonic() - self._started:.1f} s"
            text = visible(self._text)[: max(0, self._stream.width() - len(elapsed) - 3)]
            self._stream.write(f"{_ERASE}{text}  {self._stream.paint('dim', elapsed)}")
