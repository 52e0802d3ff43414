"""`session call`, in the daemon: as `run`, in a session."""

from __future__ import annotations

import os
from contextlib import nullcontext

from plughost.cli._given import read_arguments, read_timeout
from plughost.cli._layout import size_text
from plughost.cli._printer import visible
from plughost.cli._run import Call, chosen_tool
from plughost.session import SessionOutcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from plughost.call import Event, Outcome
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.cli._run import Callee
    from plughost.errors import PluginError
    from plughost.session import Session

__all__ = ["call_in"]


def call_in(context: Context, values: Values, session: Session) -> int:
    timeout_s = read_timeout(values.optional("timeout"))
    wanted, values = _with_tool(values)
    tool = chosen_tool(session.plugin, session.manifest, wanted, in_session=True)
    args, kwargs = read_arguments(values, f"{session.plugin}:{tool['name']}", tool, context.surroundings)
    call = _SessionCall(context, session.plugin, session.plugin, wanted, args=args, kwargs=kwargs, timeout_s=timeout_s, env={})
    call.session = session
    return call.enveloped(tool) if values.flag("json") else call.printed()


def _with_tool(values: Values) -> tuple[str | None, Values]:
    """The tool, and the values without it: where there is only one, its name may be left out before arguments."""
    wanted = values.optional("tool")
    if wanted is None or "=" not in wanted:
        return wanted, values
    return None, values.but(arguments=(wanted, *values.texts("arguments")))


class _SessionCall(Call):
    session: Session

    def calling(self) -> AbstractContextManager[Callee]:
        return nullcontext(_Callee(self.session))

    def explain(self, error: PluginError, host: Callee) -> None:  # noqa: ARG002
        name: object = getattr(error, "filename", None)
        if not error.hint and isinstance(name, str) and not os.path.isabs(name):
            path = os.path.normpath(self.context.surroundings.path(name))
            if os.path.exists(path):
                error.hint = f"The session works in a folder of its own: name the file by its whole path, `{path}`"

    def tell(self, outcome: Outcome) -> None:
        if not isinstance(outcome, SessionOutcome) or self.printer.quiet:
            return
        for artifact in outcome.artifacts:
            described = f"{artifact.file} ({artifact.media_type}, {size_text(artifact.size_bytes)})"
            self.printer.err.write(f"{self.printer.err.paint('dim', 'Wrote')} {visible(described)}\n")

    def more(self, outcome: Outcome) -> dict[str, object]:
        if not isinstance(outcome, SessionOutcome):
            return {}
        return {
            "session": self.session.id,
            "artifacts": [artifact.record() for artifact in outcome.artifacts],
            "artifacts_complete": outcome.artifacts_complete,
        }


class _Callee:
    """A session in a host's place."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def invoke(
        self,
        plugin: str,  # noqa: ARG002 - the session is of one
        tool: str | None = None,
        *,
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
        timeout_s: float | None = None,
        env: Mapping[str, str] | None = None,  # noqa: ARG002 - it has its variables
        on_output: Callable[[bytes], None] | None = None,
        on_item: Callable[[object], None] | None = None,
        on_event: Callable[[Event], object] | None = None,
    ) -> Outcome:
        return self._session.invoke(
            tool, args=args, kwargs=kwargs, timeout_s=timeout_s, on_output=on_output, on_item=on_item, on_event=on_event
        )
