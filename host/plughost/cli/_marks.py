"""`enable`, `disable`, `pin` and `unpin`: marks of plugins, set or taken back."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.errors import PlughostError
    from plughost.host import Host

    class Verb(Protocol):
        def __call__(self, host: Host, name: str, /) -> bool: ...


__all__ = ["disable", "enable", "pin", "unpin"]


def enable(context: Context, values: Values) -> int:
    return _mark(context, values, lambda host, name: host.enable(name), ("Enabled", "is enabled already"))


def disable(context: Context, values: Values) -> int:
    return _mark(context, values, lambda host, name: host.disable(name), ("Disabled", "is disabled already"))


def pin(context: Context, values: Values) -> int:
    return _mark(context, values, lambda host, name: host.pin(name), ("Pinned", "is pinned already"))


def unpin(context: Context, values: Values) -> int:
    return _mark(context, values, lambda host, name: host.unpin(name), ("Unpinned", "is not pinned"))


def _mark(context: Context, values: Values, verb: Verb, words: tuple[str, str]) -> int:
    """Each is marked, or its error told; the exit code is that of the first error."""
    from plughost.errors import PlughostError

    printer, out = context.printer, context.printer.out
    records: list[object] = []
    failed: PlughostError | None = None
    with context.host() as host:
        for name in dict.fromkeys(values.texts("names")):
            try:
                changed = verb(host, name)
            except PlughostError as error:
                failed = failed or error
                records.append({"name": name, "error": printer.record(error)})
                if not values.flag("json"):
                    printer.error(error)
                continue
            records.append({"name": name, "changed": changed})
            if not values.flag("json"):
                label = out.highlight(f"`{name}`")
                printer.message(f"{out.paint('green', words[0])} {label}" if changed else f"{label} {words[1]}")
    if values.flag("json"):
        printer.json(records)
    return failed.exit_code if failed else 0
