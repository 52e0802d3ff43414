"""An exception of the host's, made anew on this side of the wire: for a hook wrapper, or out of a function of the app's."""

from __future__ import annotations

import builtins
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["revive"]


def revive(record: Mapping[str, object]) -> BaseException:
    """Of its own class where the plugin has that class loaded, else of the nearest built-in one."""
    module, _, name = str(record.get("type")).rpartition(".")
    own = getattr(sys.modules.get(module), name, None) if module else None
    nearest = getattr(builtins, str(record.get("builtin")), None)
    message, args = record.get("message"), record.get("args")
    for kind in (own, nearest):
        if isinstance(kind, type) and issubclass(kind, BaseException):
            made = _made(kind, args if isinstance(args, list) else [message], message)
            if made is not None:
                return made
    return Exception(message)


def _made(kind: type[BaseException], args: list[object], message: object) -> BaseException | None:
    """An instance that says `message`; where its class's `__init__` wants other arguments, one without that."""
    makers: tuple[Callable[[], BaseException], ...] = (
        lambda: kind(*args),
        lambda: kind(message),
        lambda: BaseException.__new__(kind, message),
    )
    for make in makers:
        try:
            made = make()
            if str(made) == message:
                return made
        except Exception:  # noqa: BLE001, S112 - the next way is more general
            continue
    return None
