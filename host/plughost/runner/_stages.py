"""At which stage the plugin's code raised: in its import, with its arguments, in the call, or with its result."""

from __future__ import annotations

from ._connection import Ended

__all__ = ["Staged", "stage"]


class Staged(Exception):
    """What the plugin raised, and at which stage. `given` is the place of the argument whose iterator has raised it."""

    def __init__(self, stage: str, error: BaseException) -> None:
        super().__init__(stage)
        self.stage = stage
        self.error = error
        self.given: str | None = None


class stage:  # noqa: N801 - reads as the context manager it is: `with stage(…):`
    """Turns whatever a block of the plugin's code raises into `Staged`, `sys.exit` and a stray Ctrl-C included."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if error is not None and not isinstance(error, (Ended, Staged)):
            raise Staged(self._name, error) from error
