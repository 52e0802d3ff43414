"""What a call in a session comes to, and what takes in what it reports meanwhile.

Above it: sessions; below it: calls, and artifacts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from plughost.call import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from plughost.call import Event, Output
    from plughost.session._artifacts import Artifact

    class MakeOutput(Protocol):
        """What takes in whatever a call of a tool reports."""

        def __call__(
            self,
            plugin: str,
            tool: Mapping[str, object],
            on_output: Callable[[bytes], None] | None = None,
            on_event: Callable[[Event], object] | None = None,
        ) -> Output: ...


__all__ = ["SessionOutcome"]


class SessionOutcome(Outcome):
    """What a call in a session came to: also the files that it wrote.

    `artifacts_complete` is false where there are too many files to look at all of them.
    """

    __slots__ = ("artifacts", "artifacts_complete")

    def __init__(self, outcome: Outcome, artifacts: list[Artifact], *, artifacts_complete: bool) -> None:
        for name in Outcome.__slots__:
            setattr(self, name, getattr(outcome, name))
        self.artifacts = artifacts
        self.artifacts_complete = artifacts_complete
