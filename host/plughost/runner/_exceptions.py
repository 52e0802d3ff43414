"""An exception of the host's, made anew on this side of the wire: for a hook wrapper, or out of a function of the app's."""

from __future__ import annotations

import builtins
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["revive"]


def revive(record: Mapping[str, object]) -> BaseException:
    """Of its own class where the plugin has that class loaded, else of the nearest built-in one."""
    module, _, name = str(record.get("type")).rpartition(".")
    own = getattr(sys.modules.get(module), name, None) if module else None
    nearest = getattr(builtins, str(record.get("builtin")), None)
    args = record.get("args")
    for kind in (own, nearest):
        if isinstance(kind, type) and issubclass(kind, BaseException):
            try:
                return kind(*args) if isinstance(args, list) else kind(record.get("message"))
            except Exception:  # noqa: BLE001, S112 - its class wants other arguments: the next one is more general
                continue
    return Exception(record.get("message"))
