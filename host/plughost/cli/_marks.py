"""`enable`, `disable`, `pin` and `unpin`: marks of plugins, set or taken back."""

from __future__ import annotations

from plughost.cli._each import for_each

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
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
    printer, out = context.printer, context.printer.out

    def tell(name: str, changed: bool) -> None:  # noqa: FBT001 - what `for_each` has got of the verb
        label = out.highlight(f"`{name}`")
        printer.message(f"{out.paint('green', words[0])} {label}" if changed else f"{label} {words[1]}")

    with context.host() as host:
        return for_each(
            dict.fromkeys(values.texts("names")),
            lambda name: verb(host, name),
            record=lambda name, changed: {"name": name, "changed": changed},
            tell=tell,
            printer=printer,
            as_json=values.flag("json"),
        )
