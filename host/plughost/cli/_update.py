"""`update`: plugins made again from where they came, and what that changed."""

from __future__ import annotations

from plughost.cli._each import for_each
from plughost.cli._printer import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost._changed import Snapshot, Updated
    from plughost._consent import GivenGrant
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.host import Host

__all__ = ["tell_changes", "update", "version_of"]

_SHORT_COMMIT = 7
_MOST_COMMITS = 10
_DIGESTS = (40, 64)  # the lengths of SHA-1 and SHA-256


def update(context: Context, values: Values) -> int:
    from plughost.cli._grants import granted
    from plughost.cli._progress import ProgressLine

    printer = context.printer
    progress = ProgressLine(printer.err, quiet=printer.quiet)

    def tell(_name: str, updated: Updated) -> None:
        if not printer.quiet:
            _tell(context, updated)

    with context.host(progress) as host:

        def update_one(name: str) -> Updated:
            with progress:
                return _update(host, name, values, granted(values, printer, progress))

        return for_each(
            _names(values, host),
            update_one,
            record=lambda _name, updated: updated.record(),
            tell=tell,
            printer=printer,
            as_json=values.flag("json"),
        )


def _names(values: Values, host: Host) -> list[str]:
    from plughost.errors import UsageError

    names = list(dict.fromkeys(values.texts("names")))
    if names and values.flag("all"):
        raise UsageError("`--all` is given, and names too", reference="usage", hint="Give one or the other")
    return names or [plugin.name for plugin in host.plugins()]


def _update(host: Host, name: str, values: Values, grant: GivenGrant | None) -> Updated:
    offline = values.flag("offline")
    if values.flag("check"):
        return host.check_update(name, offline=offline)
    return host.update(
        name,
        allow_breaking=values.flag("allow_breaking"),
        dependencies=values.flag("dependencies"),
        offline=offline,
        require_signed=values.flag("require_signed"),
        grant=grant,
    )


def _tell(context: Context, updated: Updated) -> None:
    printer, out = context.printer, context.printer.out
    name = out.highlight(f"`{updated.name}`")
    now = version_of(updated.before)
    if updated.status == "pinned":
        printer.line(f"{name} {now} is pinned")
    elif updated.status == "current":
        printer.line(f"{name} {now} is up to date")
    elif updated.status == "available":
        newest = updated.newest[:_SHORT_COMMIT] if len(updated.newest) in _DIGESTS else updated.newest
        printer.line(f"{name} {now} → {visible(newest)}")
        _tell_commits(context, updated)
    else:
        printer.line(f"{out.paint('green', 'Updated')} {name} {now} → {version_of(updated.after)}")
        _tell_commits(context, updated)
        tell_changes(context, updated)


def _tell_commits(context: Context, updated: Updated) -> None:
    printer, out = context.printer, context.printer.out
    history = updated.history
    if history is None:
        return
    if history.rewritten:
        printer.line("  the new commit doesn't lead back to the old one: the branch was rewritten")
    elif not history.commits:
        printer.line("  there are too many commits between them to list")
    for commit in history.commits[:_MOST_COMMITS]:
        printer.line(f"  {out.paint('dim', commit.commit_id[:_SHORT_COMMIT])}  {visible(commit.subject)}")
    if len(history.commits) > _MOST_COMMITS:
        printer.line(out.paint("dim", f"  … and {len(history.commits) - _MOST_COMMITS} more commits"))


def tell_changes(context: Context, updated: Updated) -> None:
    """The dependencies whose version is another, and what the plugin offers otherwise."""
    printer, out = context.printer, context.printer.out
    for change in updated.dependencies:
        versions = f"{change.before or 'new'} → {change.after}" if change.after else f"{change.before} is gone"
        printer.line(f"  {visible(change.name)} {visible(versions)}")
    for each in updated.contract:
        sign = out.paint("red", "!") if each.breaking else "+" if each.kind == "added" else "~"
        printer.line(f"  {sign} {out.highlight(visible(each.message))}")


def version_of(snapshot: Snapshot) -> str:
    """`1.2 (3f2a1c0)`."""
    return visible(snapshot.version) + (f" ({snapshot.commit_id[:_SHORT_COMMIT]})" if snapshot.commit_id else "")
