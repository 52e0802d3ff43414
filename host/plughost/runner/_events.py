"""What a plugin reports beside its answers: the progress of a generator, and the records of `logging`.

Above it: the loop and its streams; below it: the connection. To import `logging` takes longer than to import all of the runner,
and so it is left to the plugin; from that moment on, `_logs` takes part in it.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Protocol

    from . import _logs

    Params = dict[str, object]

    class Link(Protocol):
        def send_aside(self, message: dict[str, object], is_welcome: Callable[[], object]) -> bool: ...


__all__ = ["Events", "is_progress", "when_imported"]

_MOST_KEPT = 256  # records of the time between two requests
_NUMBERS = (int, float)
_PROGRESS_KEYS = {"progress", "total", "message"}


def is_progress(item: dict[str, object]) -> bool:
    """Whether an item with a `progress` is no item, but says how far its generator has come.

    Source: modelcontextprotocol.io, specification 2025-06-18, Progress: the fields of its notification.
    """
    return (
        item.keys() <= _PROGRESS_KEYS
        and type(item["progress"]) in _NUMBERS
        and (item.get("total") is None or type(item["total"]) in _NUMBERS)
        and (item.get("message") is None or isinstance(item["message"], str))
    )


class Events:
    """The records of one process. The host reads while it waits for an answer: what comes else is kept for its next request."""

    def __init__(self, link: Link, is_asked: Callable[[], object], own: Callable[[str], ModuleType]) -> None:
        """`is_asked` says whether the host waits for an answer, `own` imports a module of the runner's."""
        self._link = link
        self._is_asked = is_asked
        self._own = own
        self._kept: list[Params] = []
        #: What takes part in `logging`, once that is imported.
        self.relay: _logs.Relay | None = None

    def move(self, link: Link, is_asked: Callable[[], object]) -> None:
        """Send by another link from now on."""
        self._link, self._is_asked = link, is_asked

    def adopt(self) -> None:
        """This process was forked to go on with what another one has begun."""
        if self.relay is not None:
            self.relay.adopt()

    def watch(self, level: int) -> None:
        """Send records from `level` on, or from the level that the plugin sets."""

        def begin() -> None:
            self.relay = self._own("_logs").Relay(self._log, level)

        when_imported("logging", begin)

    def catch_up(self) -> None:
        """At the beginning of a request: send what was kept, and take part in `logging` again if the plugin has ended that."""
        if self.relay is not None:
            self.relay.take_part()
        if self._kept:
            kept, self._kept = self._kept, []
            for message in kept:
                self._link.send_aside(message, lambda: True)

    def close(self) -> None:
        """Nothing is heard any more: `logging` does what it would do elsewhere."""
        if self.relay is not None:
            self.relay.is_open = False

    def _log(self, params: Params) -> None:
        """From any thread, at any time."""
        message: Params = {"jsonrpc": "2.0", "method": "log", "params": params}
        if not self._link.send_aside(message, self._is_asked):
            del self._kept[: -_MOST_KEPT + 1]
            self._kept.append(message)


def when_imported(name: str, then: Callable[[], None]) -> None:
    """Call `then` when the module is imported, before anybody has used it; at once if it has been imported.

    What is built into the interpreter is imported now: its loader is one for all of that kind.
    """
    if name in sys.builtin_module_names:
        __import__(name)
    if name in sys.modules:
        then()
        return
    finder = next((each for each in sys.meta_path if isinstance(each, _Finder)), None)
    if finder is None:
        finder = _Finder()
        sys.meta_path.insert(0, finder)
    finder.awaited.setdefault(name, []).append(then)


class _Finder:
    """First among the finders as long as modules are awaited."""

    def __init__(self) -> None:
        #: What is to be called when a module is imported, before anybody has used it.
        self.awaited: dict[str, list[Callable[[], None]]] = {}

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in self.awaited:
            return None
        then = self.awaited.pop(name)
        if not self.awaited:
            sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                _follow(spec, then)
                return spec
        return None


def _follow(spec: ModuleSpec, then: list[Callable[[], None]]) -> None:
    loader = spec.loader
    if loader is None:
        return
    own, load = vars(loader), loader.exec_module

    def exec_module(module: ModuleType) -> None:
        del own["exec_module"]  # the class's stays
        load(module)
        for each in then:
            each()

    own["exec_module"] = exec_module
