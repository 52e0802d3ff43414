"""`replay`: a recorded call made again, and whether it ends as it did."""

from __future__ import annotations

from plughost._wording import listed
from plughost.call import Output
from plughost.cli._given import read_timeout, read_variable
from plughost.cli._logs import call_number, tool_text
from plughost.cli._reports import KeptEvents, Reports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost._records import Replayed
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values

__all__ = ["replay"]


def replay(context: Context, values: Values) -> int:
    number = call_number(values.text("id"))
    timeout_s = read_timeout(values.optional("timeout"))
    env = dict(map(read_variable, values.texts("env")))
    printer = context.printer
    as_json = values.flag("json")
    reports, events = Reports(printer), KeptEvents()
    output = Output(None if as_json else reports.output)
    with context.host() as host:
        host.on_event = events.add if as_json else reports.event
        with reports:
            replayed = host.replay(number, current=values.flag("current"), timeout_s=timeout_s, env=env, on_output=output.add)
        if as_json:
            printer.json({**_document(context, replayed, output), **events.record()})
        else:
            _tell(context, replayed)
    return replayed.error.exit_code if replayed.error else 0


def _document(context: Context, replayed: Replayed, output: Output) -> dict[str, object]:
    document: dict[str, object] = {"replayed": replayed.record.record(), "same": replayed.same}
    if replayed.error is not None:
        document["error"] = context.printer.record(replayed.error)
    if replayed.outcome is not None:
        document["items" if replayed.outcome.is_stream else "result"] = replayed.outcome.result
    document["output"] = output.text()
    document["output_truncated"] = output.truncated
    return document


def _tell(context: Context, replayed: Replayed) -> None:
    printer = context.printer
    outcome = replayed.outcome
    if replayed.error is not None:
        printer.error(replayed.error)
    elif outcome is not None and outcome.is_stream and isinstance(outcome.result, list):
        for item in outcome.result:
            printer.item(item)
    elif outcome is not None:
        printer.value(outcome.result)
    if not printer.quiet:
        printer.err.write(f"{printer.err.highlight(_verdict(replayed))}\n")


def _verdict(replayed: Replayed) -> str:
    record = replayed.record
    name = f"The call `{record.id}` of `{tool_text(record)}`"
    was = "ok" if record.outcome == "ok" else f"{record.outcome} ({record.error_type or record.reference})"
    if replayed.same is None:
        return f"{name} went well before, too; whether with the same result, its record doesn't say"
    if replayed.same:
        return f"{name} ended as it did before: {was}"
    if replayed.outcome is not None and record.outcome == "ok":
        return f"{name} went well before, too, but with another result"
    had = listed(record.variables)
    variables = f", with the variables {had}" if had else ""
    leave = listed(record.arguments.leave) if record.arguments else ""
    leave = f", with leave for more by its command line: {leave}" if leave else ""
    waived = listed(record.arguments.waived) if record.arguments else ""
    waived = f", with leave to go without {waived}" if waived else ""
    return f"{name} ended otherwise before: {was}{variables}{leave}{waived}"
