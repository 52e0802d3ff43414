"""`sync` and `lock`: a declared set of plugins, brought about or locked; what was done with each, or its error."""

from __future__ import annotations

import os

from plughost._wording import counted
from plughost.cli._printer import visible
from plughost.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.errors import PlughostError
    from plughost.sets import LockedChange, LockedPlugin, LockResult, Synced

__all__ = ["lock", "sync"]

_SHORT_COMMIT = 7
_DONE = {"added": "Added", "changed": "Changed", "removed": "Removed"}
_TO_DO = {"added": "Would add", "changed": "Would change", "removed": "Would remove"}


def sync(context: Context, values: Values) -> int:
    """What was done is told also where it is interrupted; the exit code is that of the first error."""
    from plughost.cli._grants import granted
    from plughost.cli._progress import ProgressLine

    printer = context.printer
    progress = ProgressLine(printer.err, quiet=printer.quiet)
    done: list[Synced] = []
    try:
        with context.host(progress) as host, progress:
            host.sync(
                values.text("path") or ".",
                locked=values.flag("locked"),
                frozen=values.flag("frozen"),
                prune=values.flag("prune"),
                dry_run=values.flag("dry_run"),
                offline=values.flag("offline"),
                on_synced=done.append,
                grant=granted(values, printer, progress),
            )
    finally:
        if not values.flag("json"):
            _tell_synced(context, done, dry_run=values.flag("dry_run"))
    if values.flag("json"):
        printer.json([_synced_record(context, synced) for synced in done])
    return _exit_code([synced.error for synced in done])


def lock(context: Context, values: Values) -> int:
    from plughost.cli._progress import ProgressLine

    printer = context.printer
    path = values.text("path") or "."
    if values.flag("upgrade") and not os.path.exists(path):
        hint = f"For the plugin of that name: `lock --upgrade-plugin {path}`"
        raise UsageError(f"There is no file `{path}`", reference="usage", hint=hint)
    progress = ProgressLine(printer.err, quiet=printer.quiet)
    with context.host(progress) as host, progress:
        upgrade = values.flag("upgrade") or values.texts("upgrade_plugin")
        result = host.lock_set(path, upgrade=upgrade, offline=values.flag("offline"))
    if values.flag("json"):
        records = [_locked_record(context, change) for change in result.changes]
        printer.json({"path": result.path, "written": result.written, "plugins": records})
    else:
        _tell_locked(context, result)
    return _exit_code([change.error for change in result.changes])


def _exit_code(errors: list[PlughostError | None]) -> int:
    return next((error.exit_code for error in errors if error), 0)


def _tell_synced(context: Context, done: list[Synced], *, dry_run: bool) -> None:
    printer, out = context.printer, context.printer.out
    words = _TO_DO if dry_run else _DONE
    for synced in done:
        name = out.highlight(f"`{synced.name}`")
        if synced.error:
            printer.error(synced.error)
        elif synced.status == "undeclared":
            printer.message(f"{name} is installed, and not declared; {out.highlight('`--prune`')} removes it")
        elif synced.status != "unchanged":
            printer.message(f"{out.paint('green', words[synced.status])} {name} {_versions(synced)}{_marks(synced)}".rstrip())
        elif synced.marks:
            printer.message(f"{name} is {'to be ' * dry_run}{_listed(synced.marks)}")
    if done and all(synced.status in {"unchanged", "undeclared"} and not synced.marks for synced in done):
        count = sum(synced.status == "unchanged" for synced in done)
        printer.message(f"{count} plugin{'s are' if count != 1 else ' is'} as declared: nothing to do")


def _versions(synced: Synced) -> str:
    now = _version(synced.version, synced.commit_id)
    before = _version(synced.version_before, synced.commit_before)
    return now if not before or before == now else f"{before} → {now}" if now else before


def _version(version: str, commit_id: str) -> str:
    return f"{visible(version)} ({commit_id[:_SHORT_COMMIT]})" if commit_id else visible(version)


def _marks(synced: Synced) -> str:
    return f", {_listed(synced.marks)}" if synced.marks else ""


def _listed(marks: tuple[str, ...]) -> str:
    return " and ".join(marks)


def _tell_locked(context: Context, result: LockResult) -> None:
    printer, out = context.printer, context.printer.out
    for change in result.changes:
        name = out.highlight(f"`{change.name}`")
        if change.error:
            printer.error(change.error)
        elif change.status == "removed":
            printer.message(f"{out.paint('green', 'Removed')} {name}")
        elif change.status != "unchanged":
            before, after = _locked_version(change.before), _locked_version(change.after)
            versions = after if not change.before or before == after else f"{before} → {after}"
            count = len(change.after.packages) if change.after else 0
            detail = out.paint("dim", f"({counted(count, 'package')})")
            printer.message(f"{out.paint('green', 'Locked')} {name} {versions} {detail}")
    if result.error:
        printer.message(f"{out.highlight(f'`{result.path}`')} is as it was")
    else:
        printer.message(f"{out.highlight(f'`{result.path}`')} {'is written' if result.written else 'fits: nothing to do'}")


def _locked_version(locked: LockedPlugin | None) -> str:
    return _version(locked.version, locked.commit_id) if locked else ""


def _synced_record(context: Context, synced: Synced) -> dict[str, object]:
    return {
        "name": synced.name,
        "status": synced.status,
        "version": synced.version or None,
        "commit_id": synced.commit_id or None,
        "before": {"version": synced.version_before, "commit_id": synced.commit_before or None}
        if synced.version_before
        else None,
        "marks": list(synced.marks),
        "error": context.printer.record(synced.error) if synced.error else None,
    }


def _locked_record(context: Context, change: LockedChange) -> dict[str, object]:
    def entry(locked: LockedPlugin | None) -> dict[str, object] | None:
        if locked is None:
            return None
        return {
            "version": locked.version,
            "commit_id": locked.commit_id or None,
            "sha256": locked.sha256 or None,
            "wheel_sha256": locked.wheel.sha256 if locked.wheel else None,
            "packages": len(locked.packages),
        }

    return {
        "name": change.name,
        "status": change.status,
        "before": entry(change.before),
        "after": entry(change.after),
        "error": context.printer.record(change.error) if change.error else None,
    }
