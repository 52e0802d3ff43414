"""The command line.

Above it: `__main__`, and apps that have plughost's commands among their own; below it: the host. The commands are declared once,
in `table`, and read twice: by `_quick`, which understands plain, well-formed command lines and imports next to nothing, and
by `_click`, for all the rest: help, errors and completion. Both give the same values to the same function.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike
    from types import ModuleType

    import click

__all__ = ["commands"]


def commands(
    project: str = "plughost",
    *,
    hookspecs: "ModuleType | type | Sequence[ModuleType | type]" = (),
    store: "str | PathLike[str] | None" = None,
    name: str = "plugins",
) -> "click.Group":
    """The commands as a click group, for an app's own command line: `app.add_command(commands("myapp"))`.

    `project`, `hookspecs` and `store` are as for `Host`; where `store` is given, its users can't choose another.
    """
    import os

    from plughost.cli._click import group
    from plughost.cli._context import Context

    specifications = tuple(hookspecs) if isinstance(hookspecs, list | tuple) else (hookspecs,)
    store = None if store is None else os.fspath(store)
    return group(Context(project=project, store=store, hookspecs=specifications), name=name)
