"""What a command's function is handed besides its values: whose plugins they are, and where to print."""

from __future__ import annotations

from plughost.cli._printer import Printer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from plughost._request import Progress
    from plughost.cli._declaration import Values
    from plughost.host import Host
    from plughost.paths import Store

__all__ = ["Context"]


class Context:
    """Where the commands are used. `program` is what people type to get here, such as `plughost` or `myapp plugins`.

    `hookspecs` are the hook specifications of the app that they are a part of.
    """

    __slots__ = ("_chosen_store", "hookspecs", "printer", "program", "project", "store")

    def __init__(
        self,
        *,
        program: str = "plughost",
        project: str = "plughost",
        store: str | None = None,
        hookspecs: tuple[ModuleType | type, ...] = (),
    ) -> None:
        self.program = program
        self.project = project
        self.store = store
        self.hookspecs = hookspecs
        self.printer = Printer(command=program)
        self._chosen_store = ""

    def given(self, values: Values, *, program: str = "") -> Context:
        """The same with the global options that were given."""
        color = False if values.flag("no_color") else True if values.flag("color") else None
        context = Context(program=program or self.program, project=self.project, store=self.store, hookspecs=self.hookspecs)
        if self.store is None and values.text("store"):
            import os

            context._chosen_store = values.text("store")
            context.store = os.path.abspath(os.path.expanduser(context._chosen_store))
        context.printer = Printer(quiet=values.flag("quiet"), color=color, command=context.command)
        return context

    @property
    def command(self) -> str:
        """What another command on the same plugins begins with."""
        if not self._chosen_store:
            return self.program
        import shlex

        return f"{self.program} --store {shlex.quote(self._chosen_store)}"

    def host(self, on_progress: Callable[[Progress], None] | None = None, *, record_arguments: bool | None = None) -> Host:
        """`record_arguments` is for calls; None leaves it to the settings."""
        from plughost.host import Host

        return Host(
            self.project,
            store=self.store,
            hookspecs=self.hookspecs,
            record_arguments=record_arguments,
            on_progress=on_progress,
        )

    def paths(self) -> Store:
        """The store's paths, where no host is needed."""
        from plughost.paths import Store, default_store

        return Store(self.store if self.store is not None else default_store(self.project), self.project)
