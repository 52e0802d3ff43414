"""Who has which worker: the calls of a thread that another one may have to end, and what a thread holds between two requests."""

from __future__ import annotations

import _thread
from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec, TypeVar

    from plughost.worker._worker import Worker

    P = ParamSpec("P")
    T = TypeVar("T")

__all__ = ["CUSTODY", "Custody", "Held"]


class Held(_thread._local):  # noqa: SLF001 - `threading.local`, without the rest of `threading`
    """What a thread holds, each with the key of its plugin, the latest last."""

    def __init__(self) -> None:
        self.stack: list[tuple[tuple[str, ...], Worker]] = []


class Custody:
    """The workers that the calls of one thread have at the moment, so that another thread can end them."""

    def __init__(self) -> None:
        self._workers: set[Worker] = set()
        #: Whether what runs was told to end as by Ctrl-C.
        self.is_cancelled = False
        self._is_over = False

    def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function`; the workers that it takes are in this custody."""
        token = CUSTODY.set(self)
        try:
            return function(*args, **kwargs)
        finally:
            CUSTODY.reset(token)

    def cancel(self) -> None:
        """From another thread: have what runs, and what will, end as by Ctrl-C. The calls end as their plugins answer that."""
        self.is_cancelled = True
        for worker in list(self._workers):
            worker.cancel_nowait()

    def end(self) -> None:
        """From another thread: end what is lent, and what will be. The calls end with PluginCrashed."""
        self._is_over = True
        for worker in list(self._workers):
            worker.interrupt()

    @property
    def is_called_off(self) -> bool:
        """Whether what runs in it is not to begin anything more."""
        return self.is_cancelled or self._is_over

    def add(self, worker: Worker) -> None:
        self._workers.add(worker)
        if self._is_over:
            worker.interrupt()
        elif self.is_cancelled:
            worker.cancel_nowait()

    def remove(self, worker: Worker) -> None:
        self._workers.discard(worker)


CUSTODY: ContextVar[Custody | None] = ContextVar("plughost_custody", default=None)
