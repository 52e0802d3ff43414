"""What a process of a plugin says besides its answers: what it prints, logs and reports, and what it asks of the app.

Above it: the host's workers; below it: events, and how an exception is described.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from plughost.call import Event
    from plughost.registry import Installed
    from plughost.worker import Worker

    class App(Protocol):
        """Who has it: the functions by name, what gets the events, and what keeps further calls of a thread in one process."""

        offers: dict[str, object]
        on_event: Callable[[Event], object] | None

        def hold(self, installed: Installed, worker: Worker) -> None: ...
        def release(self, installed: Installed, worker: Worker) -> None: ...


__all__ = ["Listener"]


class Listener:
    """For one process, or for one call in it."""

    __slots__ = ("_app", "_installed", "_worker")

    def __init__(self, app: App, installed: Installed, worker: Worker) -> None:
        self._app = app
        self._installed = installed
        self._worker = worker

    def attach(self) -> None:
        """Have all that goes to nobody else."""
        self._worker.on_callback, self._worker.on_output = self._called_back, self._printed
        self._worker.on_notification = self._notified

    def _called_back(self, params: Mapping[str, object]) -> dict[str, object]:
        """What a function of the app's answers the plugin: a JSON-RPC `result` or `error`."""
        args, kwargs = params.get("args"), params.get("kwargs")
        self._app.hold(self._installed, self._worker)
        try:
            function = self._offered(str(params.get("name")))
            assert callable(function)
            return {"result": function(*(args if isinstance(args, list) else ()), **(kwargs if isinstance(kwargs, dict) else {}))}
        except Exception as error:  # noqa: BLE001 - the plugin's to handle
            from plughost.call import describe_exception

            return {"error": {"code": -32000, "message": str(error), "data": describe_exception(error)}}
        finally:
            self._app.release(self._installed, self._worker)

    def _offered(self, name: str) -> object:
        offers = self._app.offers
        if name in offers:
            return offers[name]
        from plughost._wording import listed

        raise LookupError(f"the app offers no function `{name}`; it offers {listed(offers) or 'nothing'}")

    def _printed(self, chunk: bytes) -> None:
        from plughost.call import OutputEvent, log_printed

        plugin, on_event = self._installed.name, self._app.on_event
        log_printed(plugin, chunk)
        if on_event is None:
            return
        try:
            on_event(OutputEvent(plugin, "", self._worker.next_id - 1, text=chunk.decode("utf-8", "replace")))
        except Exception:  # in a thread, maybe, that looks after all workers
            import logging

            logging.getLogger("plughost").exception("`on_event` failed for what `%s` printed", plugin)

    def _notified(self, method: str, params: dict[str, object], what: str, number: int) -> None:
        from plughost.call import LogEvent, event_of, log_again

        event = event_of(method, params, what or self._installed.name, number)
        if isinstance(event, LogEvent):
            log_again(event)
        if self._app.on_event is not None and what:
            self._app.on_event(event)
