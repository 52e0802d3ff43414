"""`session start`, in the daemon: a session for another process, with the limits and the policy that were given there."""

from __future__ import annotations

from math import inf

from plughost.cli._given import read_variable
from plughost.cli._grants import granted_terms
from plughost.errors import UsageError
from plughost.policy._read import field_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.session import Session, Sessions

__all__ = ["open_session"]


def open_session(context: Context, values: Values, sessions: Sessions) -> Session:
    """Raises: UsageError: an option can't be used. Else as `Host.session` does."""
    surroundings, keep = context.surroundings, values.optional("keep")
    policy = granted_terms(values.texts("limit"), values.text("policy"), option="--limit", folder=surroundings.path(""))
    env = dict(read_variable(given, surroundings) for given in values.texts("env"))
    idle_timeout_s, lifetime_s, task_timeout_s = (_seconds(values, name) for name in ("idle_timeout", "lifetime", "task_timeout"))
    memory_bytes, max_tasks = _number(values, "memory", "memory_bytes"), _number(values, "max_tasks", "processes")
    with context.calling() as host:
        host.share_sessions(sessions)
        return host.session(
            values.text("name"),
            policy=policy or None,
            idle_timeout_s=idle_timeout_s,
            task_timeout_s=task_timeout_s,
            lifetime_s=lifetime_s,
            max_tasks=max_tasks,
            memory_bytes=memory_bytes,
            keep=None if keep is None else surroundings.path(keep),
            env=env,
        )


def _seconds(values: Values, name: str) -> float | None:
    return _number(values, name, "wall_s")


def _number(values: Values, name: str, field: str) -> float | None:
    """What an option says, in the form of that field of a policy; None if it isn't given."""
    given = values.optional(name)
    if given is None:
        return None
    option = f"--{name.replace('_', '-')}"
    try:
        number = field_value(field, given, key=option)
    except UsageError as error:
        raise UsageError(error.message, reference="usage") from None
    return number if isinstance(number, int | float) else inf
