"""The records of calls, as the host gives them: read, counted, and one call made again.

Above it: `Host`; below it: the journal, and whatever calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from plughost import journal, registry
from plughost.errors import PlughostError, PluginError, UnknownError, UsageError
from plughost.settings import absolute

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from plughost._caller import Caller
    from plughost.call import Outcome
    from plughost.journal import Arguments, CallRecord, PluginStats
    from plughost.paths import Store

__all__ = ["Replayed", "find_call", "read_calls", "read_stats", "replay"]

_HOOK = "hook:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A call that was made again: `record` is how it went before, `outcome` or `error` how it goes now.

    `same` is whether both ended alike: with the same result, or with an error of the same type; None where that can't be told,
    as of a stream whose items nobody kept.
    """

    record: CallRecord
    outcome: Outcome | None
    error: PlughostError | None

    @property
    def same(self) -> bool | None:
        if self.error is not None:
            type_name = self.error.type_name if isinstance(self.error, PluginError) else ""
            return (self.record.reference, self.record.error_type) == (self.error.reference, type_name)
        if self.outcome is None or self.record.outcome != "ok":
            return False
        if not self.record.result_digest:
            return None
        return self.record.result_digest == journal.digest(self.outcome.result)


def read_calls(
    store: Store, names: Sequence[str], *, failed: bool, since: str, after: int, limit: int | None
) -> list[CallRecord]:
    journal.refresh(store)
    wanted = [registry.normalize_name(name) for name in names]
    calls = journal.read_calls(store, wanted, failed=failed, since=_seconds(since), after=after, limit=limit)
    if not calls:
        _refuse_unknown(store, wanted)
    return calls


def find_call(store: Store, number: int) -> CallRecord:
    journal.refresh(store)
    return journal.find_call(store, number)


def read_stats(store: Store, names: Sequence[str], *, since: str) -> list[PluginStats]:
    journal.refresh(store)
    wanted = [registry.normalize_name(name) for name in names]
    stats = journal.read_stats(store, wanted, since=_seconds(since))
    if not stats:
        _refuse_unknown(store, wanted)
    return stats


def replay(
    caller: Caller,
    store: Store,
    number: int,
    *,
    current: bool,
    timeout_s: float | None,
    env: Mapping[str, str] | None,
    on_output: Callable[[bytes], None] | None,
) -> Replayed:
    record = find_call(store, number)
    arguments = _arguments(record)
    plugin = record.plugin if current else f"{record.plugin}@{_revision(store, record)}"
    registry.find_callable(store, plugin)
    try:
        outcome = caller.invoke(
            plugin,
            record.tool,
            args=arguments.args,
            kwargs=arguments.kwargs,
            timeout_s=record.timeout_s if timeout_s is None else timeout_s,
            env=env,
            policy=arguments.policy or None,
            on_output=on_output,
        )
    except PlughostError as error:
        return Replayed(record=record, outcome=None, error=error)
    return Replayed(record=record, outcome=outcome, error=None)


def _arguments(record: CallRecord) -> Arguments:
    """Raises: UsageError: the record is not enough to make the call again."""
    if record.tool.startswith(_HOOK):
        cause, hint = "It was a call of a hook, which only its app can make", ""
    elif record.arguments is None:
        cause = record.arguments_lost or "Its arguments were not recorded"
        hint = f"`run --record-arguments {record.plugin}` records those of a call, the setting `record-arguments` those of all"
    else:
        return record.arguments
    raise UsageError(f"The call `{record.id}` can't be made again", reference="record-incomplete", causes=[cause], hint=hint)


def _revision(store: Store, record: CallRecord) -> str:
    """Raises: UnknownError: the revision that the call was made on isn't kept any more, or the plugin not installed."""
    installed = registry.find(store, record.plugin)
    state = registry.state_of(store, record.plugin)
    if state is not None and record.revision in state.revisions:
        return record.revision
    raise UnknownError(
        f"The revision `{record.revision}` of `{record.plugin}`, which the call `{record.id}` was made on, is not kept any more",
        reference="revision-gone",
        causes=[f"In force is `{installed.revision}`"],
        hint=f"`replay {record.id} --current` makes the call on that",
    )


def _refuse_unknown(store: Store, names: Sequence[str]) -> None:
    """Raises: UnknownError: one of them isn't installed; it has no records either."""
    installed = registry.installed_names(store) if names else []
    for name in names:
        if name not in installed:
            raise registry.unknown(store, name)


def _seconds(since: str) -> float:
    """A date, an instant or how long ago, as a time in seconds; a date begins where this machine is."""
    return datetime.fromisoformat(absolute(since)).timestamp() if since else 0.0
