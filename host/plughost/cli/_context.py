"""What a command's function is handed besides its values: whose plugins they are, and where to print."""

from __future__ import annotations

from plughost.cli._printer import Printer
from plughost.cli._surroundings import OWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from types import ModuleType

    from plughost._policies import Command
    from plughost._request import Progress
    from plughost.cli._declaration import Values
    from plughost.cli._surroundings import Surroundings
    from plughost.host import Host
    from plughost.paths import Store

__all__ = ["Context"]


class Context:
    """Where the commands are used. `program` is what people type to get here, such as `plughost` or `myapp plugins`.

    `hookspecs` are the hook specifications of the app that they are a part of.
    """

    __slots__ = ("_chosen_store", "hookspecs", "printer", "program", "project", "store", "surroundings")

    def __init__(
        self,
        *,
        program: str = "plughost",
        project: str = "plughost",
        store: str | None = None,
        hookspecs: tuple[ModuleType | type, ...] = (),
        surroundings: Surroundings = OWN,
    ) -> None:
        self.program = program
        self.project = project
        self.store = store
        self.hookspecs = hookspecs
        self.surroundings = surroundings
        self.printer = Printer(command=program, surroundings=surroundings)
        self._chosen_store = ""

    def given(self, values: Values, *, program: str = "") -> Context:
        """The same with the global options that were given."""
        color = False if values.flag("no_color") else True if values.flag("color") else None
        context = Context(
            program=program or self.program,
            project=self.project,
            store=self.store,
            hookspecs=self.hookspecs,
            surroundings=self.surroundings,
        )
        if self.store is None and values.text("store"):
            context._chosen_store = values.text("store")
            context.store = self.surroundings.store(context._chosen_store, self.project)
        context.printer = Printer(
            quiet=values.flag("quiet"), color=color, command=context.command, surroundings=self.surroundings
        )
        return context

    @property
    def command(self) -> str:
        """What another command on the same plugins begins with."""
        if not self._chosen_store:
            return self.program
        import shlex

        return f"{self.program} --store {shlex.quote(self._chosen_store)}"

    def host(
        self,
        on_progress: Callable[[Progress], None] | None = None,
        *,
        record_arguments: bool | None = None,
        command: Command | None = None,
        waived: tuple[str, ...] = (),
    ) -> Host:
        """`record_arguments` is for calls; None leaves it to the settings. `command` and `waived` are said of policies."""
        from plughost.host import Host

        host = Host(
            self.project,
            store=self.store,
            hookspecs=self.hookspecs,
            record_arguments=record_arguments,
            on_progress=on_progress,
            allow_unenforced=waived,
        )
        host.policies.command, host.policies.program = command, self.command
        host.takes_plain_values = True
        return host

    def calling(
        self, *, record_arguments: bool | None = None, command: Command | None = None, waived: tuple[str, ...] = ()
    ) -> AbstractContextManager[Host]:
        """A host for calls, with the workers that there are for them."""
        return self.surroundings.lend(
            lambda: self.host(record_arguments=record_arguments, command=command, waived=waived),
            record_arguments=record_arguments,
        )

    def paths(self) -> Store:
        """The store's paths, where no host is needed."""
        from plughost.paths import Store

        return Store(self.store if self.store is not None else self.surroundings.store("", self.project), self.project)
