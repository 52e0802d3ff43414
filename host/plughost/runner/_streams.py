"""Streams: the items of a generator, sent as they come, as far as the host has given credit for them.

Above it: the loop; below it: the connection. What a stream waits for, the host's notifications, may come while a callback is
waited for: the loop keeps it here, by `put_off`.
"""

from __future__ import annotations

import itertools

from . import _printed, wire
from ._stages import stage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Link(Protocol):
        def receive(self) -> dict[str, object]: ...
        def send(self, message: dict[str, object]) -> None: ...

    class Items(Protocol):
        def __next__(self) -> object: ...


__all__ = ["Streams"]


class _Cancelled(Exception):
    """The host wants no more of the stream that is being sent."""


class Streams:
    """Those of one connection: one inside another where the app, called back by a stream, calls the plugin."""

    def __init__(self, link: Link) -> None:
        self._receive, self._send = link.receive, link.send
        self._later: list[dict[str, object]] = []  # what came for an outer stream while a callback was waited for

    def put_off(self, notification: dict[str, object]) -> None:
        """Keep what came for a stream that isn't waiting for it yet."""
        self._later.append(notification)

    def send(self, number: object, items: Items, credit: int) -> None:
        """Send what `items` gives until it ends, or until the host wants no more; it is closed either way.

        Raises: Staged: what it raises.
        """
        try:
            for index in itertools.count():
                while credit <= 0:
                    credit += self._credit(number)
                with stage("call"):
                    try:
                        item = items.__next__()
                    except StopIteration:
                        return
                _printed.flush()
                with stage("result"):
                    self._send_item(number, index, item)
                credit -= 1
        except _Cancelled:
            pass
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                with stage("call"):
                    close()

    def _send_item(self, number: object, index: int, item: object) -> None:
        try:
            self._send({"jsonrpc": "2.0", "method": "item", "params": {"id": number, "value": item}})
        except wire.WireError as error:
            path = ["items", index, *error.path[1:]]
            raise wire.WireError("`{}` {}".format(wire.path_text(path), error.reason), path) from error.__cause__

    def _credit(self, number: object) -> int:
        while True:
            message = self._later.pop(0) if self._later else self._receive()
            params = message.get("params")
            if not isinstance(params, dict) or params.get("id") != number:
                continue
            if message.get("method") == "cancel":
                raise _Cancelled
            if message.get("method") == "credit":
                return int(params["items"])
