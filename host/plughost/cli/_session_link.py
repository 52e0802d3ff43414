"""Handing a command on sessions over to the daemon, which is started where there is none and it is to keep something.

Above it: the commands on sessions; below it: the daemon's socket.
"""

from __future__ import annotations

from plughost import registry
from plughost.cli._up import IDLE_S, command_of
from plughost.cli.table import COMMANDS, GLOBAL_OPTIONS
from plughost.daemon import start, status
from plughost.daemon._client import Lost, deliver
from plughost.daemon._link import ONLY_HERE
from plughost.errors import PluginCrashed, StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.cli._context import Context
    from plughost.cli._declaration import Command, Values

__all__ = ["hand_over"]


def hand_over(context: Context, name: str, values: Values, *, starts: bool = False) -> int | None:
    """The exit code of the command of that name, done by the daemon.

    None: this is the daemon, or there is none and it isn't started.

    Raises: StoreError: it can't be started, or doesn't do it. PluginCrashed: it went away. UnknownError: it would be started for
    a plugin that isn't installed.
    """
    if context.surroundings.sessions() is not None:
        return None
    store = context.paths()
    if starts:
        registry.find(store, values.text("name"))
        start(store, command_of(store, IDLE_S, context.program))
    try:
        code = deliver(store.daemon_socket, _argv(COMMANDS[name], values), values.text("store"), kind=ONLY_HERE)
    except Lost as error:
        raise PluginCrashed(str(error), reference="daemon-lost", causes=["Its sessions have ended with it"]) from None
    if code is None and (running := status(store)) is not None:
        raise StoreError(
            "The daemon doesn't take the command",
            reference="daemon-failed",
            causes=[
                "Its user has other groups, capabilities or namespaces than this process"
                if running.is_ours
                else "It is of another version of plughost"
            ],
            hint="`down` ends it, and its sessions",
        )
    return code


def _argv(command: Command, values: Values) -> list[str]:
    """A command line that is read as these values, by any program that has these commands."""
    argv, places = command.name.split(), []
    for parameter in (*GLOBAL_OPTIONS, *command.parameters):
        given = [*values.texts(parameter.name)]
        if (text := values.optional(parameter.name)) is not None:
            given.append(text)
        if not parameter.flags:
            places += given
        elif parameter.is_flag:
            argv += parameter.flags[:1] * values.flag(parameter.name)
        else:
            argv += [f"{parameter.flags[0]}={value}" for value in given]
    return [*argv, "--", *places]
