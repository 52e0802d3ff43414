"""`add`: what is to be installed, progress while it is, and what to do with it then."""

from __future__ import annotations

import os

from plughost._wording import counted, listed
from plughost.cli._printer import visible
from plughost.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from plughost._info import Plugin
    from plughost._request import Added, Progress
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values

__all__ = ["add"]

_SHORT_COMMIT = 7
_MOST_TOOLS = 10


def add(context: Context, values: Values) -> int:
    from plughost.cli._grants import granted
    from plughost.cli._progress import ProgressLine

    printer = context.printer
    progress = ProgressLine(printer.err, quiet=printer.quiet)

    def tell(stage: Progress) -> None:
        if stage.stage == "index" and not printer.quiet:
            progress.say(printer.err.highlight(stage.detail))
        progress(stage)

    source = values.text("source")
    if not printer.quiet and _is_project(source):
        progress.say(printer.err.highlight(f"note: `{source}` is asked of the index; the folder of that name is `./{source}`"))
    with context.host(tell) as host, progress:
        added = host.add(
            source,
            name=values.text("name"),
            python=values.text("python"),
            force=values.flag("force"),
            extras=values.texts("extra"),
            with_=values.texts("with"),
            constraint=values.optional("constraint"),
            exclude_newer=values.text("exclude_newer"),
            installer=values.text("installer"),
            offline=values.flag("offline"),
            editable=values.flag("editable"),
            entry_points=_entry_points(values.texts("entry_point")),
            require_signed=values.flag("require_signed"),
            index=values.text("index"),
            grant=granted(values, printer, progress),
        )
    if values.flag("json"):
        printer.json(added.record())
    elif not printer.quiet:
        _tell(context, added)
    return 0


def _is_project(name: str) -> bool:
    """Whether a name, which is taken for that of a package as pip and uv take it, is a project's folder, too."""
    is_name = name.replace("-", "").replace("_", "").replace(".", "").isalnum() and not name.startswith(".")
    return is_name and any(os.path.isfile(os.path.join(name, file)) for file in ("pyproject.toml", "setup.py"))


def _entry_points(given: Iterable[str]) -> dict[str, str]:
    entry_points: dict[str, str] = {}
    for text in given:
        name, equals, target = (part.strip() for part in text.partition("="))
        module, colon, what = target.partition(":")
        if not (name and equals and module and colon and what):
            raise UsageError(
                f"`--entry-point {text}` is not `NAME=MODULE:OBJECT`",
                reference="usage",
                hint="Such as `--entry-point slug=slugify:slugify`",
            )
        entry_points[name] = target
    return entry_points


def _tell(context: Context, added: Added) -> None:
    printer, out = context.printer, context.printer.out
    name = f"`{added.name}`"
    if not added.changed:
        printer.line(f"{out.highlight(name)} {added.version} is already installed {_sameness(added)}; `--force` builds it again")
        _tell_grant(context, added.plugin)
        return
    plugin = added.plugin
    count = len(plugin.dependencies) + 1
    detail = out.paint("dim", f"({counted(count, 'package')}, {added.duration_s:.1f} s)")
    printer.line(f"{out.paint('green', 'Added')} {out.highlight(name)} {added.version} {_origin(plugin)} {detail}")
    _tell_grant(context, plugin)
    _tell_offers(context, plugin)


def _origin(plugin: Plugin) -> str:
    receipt = plugin.receipt
    if receipt.commit_id:
        return f"from `{receipt.commit_id[:_SHORT_COMMIT]}`"
    return "from the index" if receipt.kind == "requirement" else f"from `{receipt.source}`"


def _sameness(added: Added) -> str:
    if added.commit_id:
        return f"at the same commit, `{added.commit_id[:_SHORT_COMMIT]}`"
    return "at the same version" if added.plugin.receipt.kind == "requirement" else "with the same files"


def _tell_grant(context: Context, plugin: Plugin) -> None:
    if plugin.grant is None:
        return
    from plughost.cli._grants import granted_text

    printer, out = context.printer, context.printer.out
    printer.line(f"  {out.paint('dim', f'granted: {visible(granted_text(plugin.grant))}')}")


def _tell_offers(context: Context, plugin: Plugin) -> None:
    printer, out = context.printer, context.printer.out
    if plugin.tools:
        from plughost.cli._example import example

        names = [visible(str(tool["name"])) for tool in plugin.tools[:_MOST_TOOLS]]
        width = max(map(len, names))
        for name, tool in zip(names, plugin.tools, strict=False):
            summary = visible(str(tool.get("description") or "").partition("\n")[0])
            printer.line(f"  {out.paint('bold', name)}{' ' * (width - len(name))}  {out.paint('dim', summary)}".rstrip())
        if len(plugin.tools) > _MOST_TOOLS:
            printer.line(out.paint("dim", f"  … and {len(plugin.tools) - _MOST_TOOLS} more"))
        printer.line()
        printer.line(f"Try it: {out.paint('cyan', f'{context.command} run {visible(example(plugin))}')}")
    elif plugin.hooks:
        hooks = listed(visible(str(hook["name"])) for hook in plugin.hooks)
        printer.line(f"It implements the hooks {out.highlight(hooks)}")
