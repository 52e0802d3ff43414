"""`logs`: the calls that were made, as a table, or one of them with all that is known of it."""

from __future__ import annotations

import time

from plughost.cli._layout import duration_text, size_text
from plughost.cli._printer import compact, indented, visible
from plughost.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.cli._terminal import Stream
    from plughost.host import Host
    from plughost.journal import Arguments, CallRecord

__all__ = ["call_number", "logs", "tool_text"]

_SHOWN = 50
#: How often it is looked whether there are more calls.
_FOLLOWS_EVERY_S = 0.5
_SHORT_COMMIT = 7
_HEADS = ("ID", "TIME", "CALL", "OUTCOME", "DURATION")


def logs(context: Context, values: Values) -> int:
    names = values.texts("names")
    host = context.host()
    if len(names) == 1 and names[0].isdecimal():
        return _show(context, host.find_call(call_number(names[0])), as_json=values.flag("json"))
    limit = _limit(values.optional("limit"))
    failed, since = values.flag("failed"), values.text("since")
    calls = host.calls(*names, failed=failed, since=since, limit=limit)
    if values.flag("follow"):
        return _follow(context, host, names, calls, failed=failed, as_json=values.flag("json"))
    if values.flag("json"):
        context.printer.json([call.record() for call in calls])
    elif calls:
        for line in _table(calls, context.printer.out, heads=True):
            context.printer.line(line)
    elif not context.printer.quiet:
        context.printer.err.write("No such calls are recorded\n" if names or failed or since else "No calls are recorded\n")
    return 0


def call_number(text: str) -> int:
    """Raises: UsageError: it is none."""
    if text.isdecimal() and text.isascii() and len(text) <= 18:  # noqa: PLR2004 - as many as SQLite's integers have
        return int(text)
    raise UsageError(f"`{text}` is no call's number", hint="`logs --limit 20` shows the numbers")


def _limit(given: str | None) -> int:
    if given is None:
        return _SHOWN
    if not (given.isascii() and given.isdecimal() and int(given)):
        raise UsageError(f"`--limit {given}` is no whole number above 0")
    return int(given)


def _follow(context: Context, host: Host, names: Sequence[str], calls: list[CallRecord], *, failed: bool, as_json: bool) -> int:
    """Until it is interrupted: new calls as they end; as JSON, one a line."""
    printer = context.printer
    newest = max((call.id for call in calls), default=0)
    is_first = True
    while True:
        if as_json:
            for call in calls:
                printer.out.write(compact(call.record()) + "\n")
        elif calls:
            for line in _table(calls, printer.out, heads=is_first):
                printer.line(line)
            is_first = False
        time.sleep(_FOLLOWS_EVERY_S)
        calls = host.calls(*names, failed=failed, after=newest)
        newest = max((call.id for call in calls), default=newest)


def _table(calls: Sequence[CallRecord], out: Stream, *, heads: bool) -> Iterator[str]:
    rows = [_row(call) for call in calls]
    widths = [max(len(row[column]) for row in [_HEADS, *rows]) for column in range(len(_HEADS))]
    if heads:
        yield out.paint("dim", "  ".join(map(str.ljust, _HEADS, widths)).rstrip())
    for call, row in zip(calls, rows, strict=True):
        number, when, name, outcome, duration = row
        cells = [number.rjust(widths[0]), when.ljust(widths[1]), out.paint("bold", name.ljust(widths[2]))]
        cells.append(outcome.ljust(widths[3]) if call.outcome == "ok" else out.paint("red", outcome.ljust(widths[3])))
        cells += [duration.rjust(widths[4]), visible(_what_was_said(call))]
        yield "  ".join(cells).rstrip()


def _row(call: CallRecord) -> tuple[str, ...]:
    when = call.time.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return str(call.id), when, tool_text(call), call.outcome, duration_text(call.duration_s)


def tool_text(call: CallRecord) -> str:
    return f"{call.plugin}:{visible(call.tool)}" if call.tool else call.plugin


def _what_was_said(call: CallRecord) -> str:
    """The message without what stands in the line already."""
    said = call.message.removeprefix(f"`{call.plugin}:{call.tool}` ").removeprefix("raised ")
    return said or call.error_type or call.reference


def _show(context: Context, call: CallRecord, *, as_json: bool) -> int:
    printer = context.printer
    if as_json:
        printer.json(call.record(whole=True))
        return 0
    out = printer.out
    printer.line(f"{out.paint('bold', tool_text(call))}  {call.outcome}")
    printer.line()
    facts = [(name, value) for name, value in _facts(call) if value]
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        printer.line(f"{out.paint('dim', name.ljust(width))}  {visible(value)}")
    if call.arguments is not None:
        printer.line()
        printer.line(out.paint("bold", "Arguments"))
        printer.line(visible(indented(call.arguments.record())))
    if call.traceback:
        printer.line()
        printer.line(visible(call.traceback.rstrip("\n")))
    return 0


def _facts(call: CallRecord) -> list[tuple[str, str]]:
    lost = "" if call.arguments is not None else call.arguments_lost or "not recorded"
    return [
        ("call", str(call.id)),
        ("time", call.time.astimezone().isoformat(sep=" ", timespec="milliseconds")),
        ("duration", duration_text(call.duration_s)),
        ("error", call.message or call.error_type or call.reference),
        ("reference", call.reference),
        ("exit code", "" if call.exit_code is None else str(call.exit_code)),
        ("version", f"{call.version} at {call.commit_id[:_SHORT_COMMIT]}" if call.commit_id else call.version),
        ("revision", call.revision),
        ("request", size_text(call.request_bytes)),
        ("reply", size_text(call.reply_bytes)),
        ("output", size_text(call.output_bytes)),
        ("timeout", "" if call.timeout_s is None else f"{call.timeout_s:g} s"),
        ("variables", " ".join(call.variables)),
        *(_policy_of(call.arguments) if call.arguments else ()),
        ("arguments", lost),
    ]


def _policy_of(arguments: Arguments) -> list[tuple[str, str]]:
    """What the caller said of the plugin's policy."""
    tables = [(name, _table_text(table)) for name, table in (("policy", arguments.policy), ("leave", arguments.leave))]
    return [*tables, ("unenforced", ", ".join(arguments.waived))]


def _table_text(table: Mapping[str, object]) -> str:
    values = ((key, ", ".join(map(str, value)) if isinstance(value, list) else value) for key, value in table.items())
    return "; ".join(f"{key} = {value}" for key, value in values)
