"""`run`: one call of one tool, with arguments from the command line and the standard input, its result on the standard output."""

from __future__ import annotations

import os
import time

from plughost.call import Output, choose_tool, is_stream, split_name
from plughost.cli._given import read_arguments, read_timeout, read_variable
from plughost.cli._limits import are_given, command_of, refuse_missing
from plughost.cli._reports import KeptEvents, Reports
from plughost.errors import PlughostError, PluginError, UnknownError, UsageError
from plughost.registry import find_callable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import Protocol

    from plughost._policies import Command
    from plughost.call import Event, Outcome
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.policy import Policy

    class Callee(Protocol):
        """What makes a call: a host, or what stands in its place."""

        def invoke(
            self,
            plugin: str,
            tool: str | None = None,
            *,
            args: Sequence[object] = (),
            kwargs: Mapping[str, object] | None = None,
            timeout_s: float | None = None,
            env: Mapping[str, str] | None = None,
            on_output: Callable[[bytes], None] | None = None,
            on_item: Callable[[object], None] | None = None,
            on_event: Callable[[Event], object] | None = None,
        ) -> Outcome: ...


__all__ = ["Call", "chosen_tool", "run"]


def run(context: Context, values: Values) -> int:
    name, wanted = split_name(values.text("name"))
    if not name:
        raise UsageError(f"`{values.text('name')}` names no plugin", hint="The plugin comes first, as in `weather:forecast`")
    timeout_s = read_timeout(values.optional("timeout"))
    env = dict(read_variable(given, context.surroundings) for given in values.texts("env"))
    installed = find_callable(context.paths(), name)
    tool = chosen_tool(installed.name, installed.manifest, wanted)
    args, kwargs = read_arguments(values, f"{installed.name}:{tool['name']}", tool, context.surroundings)
    call = _CallOfHost(context, installed.name, name, wanted, args=args, kwargs=kwargs, timeout_s=timeout_s, env=env)
    call.record_arguments = values.flag("record_arguments") or None
    if are_given(values):
        refuse_missing(values, os.getcwd())
        call.command, call.waived = command_of(values, os.getcwd()), values.texts("allow_unenforced")
    call.schema = tool
    if values.flag("json"):
        return call.enveloped(tool)
    return call.printed()


def chosen_tool(
    plugin: str, manifest: Mapping[str, object], wanted: str | None, *, in_session: bool = False
) -> dict[str, object]:
    """As `choose_tool`; of a plugin that is edited also one that isn't known: the code may have it by now, the host will see."""
    try:
        return choose_tool(plugin, manifest, wanted, in_session=in_session)
    except UnknownError:
        if not manifest.get("editable"):
            raise
        return {"name": wanted or ""}


class Call:
    """A call that is ready to be made, in one of two ways."""

    def __init__(
        self,
        context: Context,
        plugin: str,
        found_by: str,
        tool: str | None,
        *,
        args: list[object],
        kwargs: dict[str, object],
        timeout_s: float | None,
        env: dict[str, str],
    ) -> None:
        self.context = context
        self.printer = context.printer
        self.record_arguments: bool | None = None
        self.command: Command | None = None
        self.waived: tuple[str, ...] = ()
        self.plugin = plugin
        self.found_by = found_by
        self.tool = tool
        self.args = args
        self.kwargs = kwargs
        self.timeout_s = timeout_s
        self.env = env

    def printed(self) -> int:
        """For people and pipes: the result, or each item as it comes; what the plugin prints as it comes."""
        with self.calling() as host:
            with Reports(self.printer) as reports:
                outcome = self._invoke(host, on_output=reports.output, on_item=reports.item, on_event=reports.event)
            if not outcome.is_stream:
                self.printer.value(outcome.result)
            self.tell(outcome)
        return 0

    def enveloped(self, tool: dict[str, object]) -> int:
        """For programs: one document that has all of it, also where the call fails."""
        output = Output(None)
        items: list[object] = []
        events = KeptEvents()
        envelope: dict[str, object] = {"plugin": self.plugin, "tool": tool["name"]}
        started = time.monotonic()
        streamed = is_stream(tool)
        code = 0
        try:
            with self.calling() as host:
                outcome = self._invoke(host, on_output=output.add, on_item=items.append, on_event=events.add)
            streamed = outcome.is_stream
            envelope["tool"] = outcome.tool
            if not streamed:
                envelope["result"] = outcome.result
            envelope.update(self.more(outcome))
        except PlughostError as error:
            envelope["error"] = self.printer.record(error)
            code = error.exit_code
        if streamed:
            envelope["items"] = items
        envelope["output"] = output.text()
        envelope["output_truncated"] = output.truncated
        envelope.update(events.record())
        envelope["duration_s"] = round(time.monotonic() - started, 6)
        self.printer.json(envelope)
        return code

    def tell(self, outcome: Outcome) -> None:
        """Say to people what there is to say besides."""

    def more(self, outcome: Outcome) -> dict[str, object]:  # noqa: ARG002
        """And to programs."""
        return {}

    def calling(self) -> AbstractContextManager[Callee]:
        """What makes the call."""
        return self.context.calling(record_arguments=self.record_arguments, command=self.command, waived=self.waived)

    def prepare(self, host: Callee) -> None:
        """What there is to do ahead."""

    def explain(self, error: PluginError, host: Callee) -> None:
        """Add to what the plugin raised what is known here of the user's side."""

    def _invoke(
        self,
        host: Callee,
        *,
        on_output: Callable[[bytes], None],
        on_item: Callable[[object], None],
        on_event: Callable[[Event], None],
    ) -> Outcome:
        self.prepare(host)
        try:
            return host.invoke(
                self.found_by,
                self.tool,
                args=self.args,
                kwargs=self.kwargs,
                timeout_s=self.timeout_s,
                env=self.env,
                on_output=on_output,
                on_item=on_item,
                on_event=on_event,
            )
        except PluginError as error:
            self.explain(error, host)
            raise
        finally:
            self.context.surroundings.check()


class _CallOfHost(Call):
    """A call of a plugin in a folder of its own, whose user means files of his."""

    schema: Mapping[str, object] = {}

    def prepare(self, host: Callee) -> None:
        given = [*self.args, *self.kwargs.values()]
        if any(isinstance(value, str | list) for value in given):
            self._place_files(host)

    def explain(self, error: PluginError, host: Callee) -> None:
        from plughost.cli._paths import explain_missing, takes_paths

        given = [*self.args, *self.kwargs.values()]
        whole = takes_paths(self.schema)
        explain_missing(error, given, lambda: self._policy(host), self._folder, is_made_whole=whole)

    def _place_files(self, host: Callee) -> None:
        from plughost.cli._paths import make_whole, takes_paths

        if takes_paths(self.schema) and not (policy := self._policy(host)).is_trusted:
            make_whole(self.args, self.kwargs, self.schema, policy, self._folder)

    def _policy(self, host: Callee) -> Policy:
        from plughost.host import Host

        assert isinstance(host, Host)
        return host.policy_of(self.found_by)

    @property
    def _folder(self) -> str:
        return os.path.abspath(self.context.surroundings.path(""))
