"""The thorough reader: real click commands, made from the table. Help, mistakes, completion, and whatever `_quick` leaves.

Above it: `__main__`, and apps that add the group to their own; below it: the table and click. It does nothing itself.
"""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from plughost.cli import _complete
from plughost.cli._declaration import Values
from plughost.cli._execute import execute
from plughost.cli._overview import overview, version
from plughost.cli._terminal import Stream
from plughost.cli.table import COMMANDS, GLOBAL_OPTIONS
from plughost.errors import PlughostError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from plughost.cli._context import Context
    from plughost.cli._declaration import Command, Family, Parameter, Value
    from plughost.cli._terminal import Style

    Run = Callable[[Command, Context, Values], int]

__all__ = ["group", "run", "script"]

#: In color or not, as `_paint` has it: click is to leave that alone.
_SETTINGS = {"help_option_names": ["--help", "-h"], "max_content_width": 100, "color": True}


def run(argv: Sequence[str], context: Context, *, execute: Run = execute) -> int:
    """Read the command line and do what it says. The exit code.

    Raises: UsageError: it can't be read.
    """
    commands = group(context, name=context.program, standalone=True, execute=execute)
    try:
        with commands.make_context(context.program, list(argv)) as ctx:
            commands.invoke(ctx)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.UsageError as error:
        raise _usage_error(error, context) from None
    return 0


def complete(context: Context, instruction: str) -> int:
    """Answer a shell that has a word to complete."""
    from click.shell_completion import shell_complete

    commands = group(context, name=context.program, standalone=True)
    return shell_complete(commands, {}, context.program, _complete.variable(context.program), instruction)


def script(shell: str, context: Context) -> str:
    """What the shell is to read at its start."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise UsageError(f"There is no completion for `{shell}`", reference="usage")
    commands = group(context, name=context.program, standalone=True)
    completer = kind(commands, {}, context.program, _complete.variable(context.program))
    # Not `source()`: that starts bash to ask for its version.
    return completer.source_template % completer.source_vars()


def group(context: Context, *, name: str, standalone: bool = False, execute: Run = execute) -> click.Group:
    """The commands as a group; `standalone` if it is the whole program and not a part of an app's."""
    return _Group(context, name, standalone=standalone, execute=execute)


class _Group(click.Group):
    def __init__(self, context: Context, name: str, *, standalone: bool, execute: Run) -> None:
        options: list[click.Parameter] = [_parameter(parameter, context) for parameter in _global_options(context)]
        if standalone:
            options.append(_version_option())
        super().__init__(
            name,
            params=options,
            callback=self._show_overview,
            invoke_without_command=True,
            help="Plugins: packages that run in environments of their own.",
            context_settings=_SETTINGS,
        )
        self._context = context
        self._execute = execute
        offered = [command for command in COMMANDS.values() if standalone or command.group not in {"Authors", "Daemon", "Shell"}]
        self._words = list(dict.fromkeys(command.name.split()[0] for command in offered))

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return self._words

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in self._words:
            return None
        if family := COMMANDS.family(name):
            return _Family(family, self._context, self._execute)
        return _Command(COMMANDS[name], self._context, self._execute)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        _refuse_unknown(args, self._words, ctx)
        return super().resolve_command(ctx, args)

    def get_help(self, ctx: click.Context) -> str:
        return overview(ctx.command_path, Stream("stdout"), store=self._context.store is None, words=self._words).rstrip("\n")

    def _show_overview(self, **_: object) -> None:
        _show_help_unless_a_command_follows()


class _Family(click.Group):
    """The commands that share their first word; alone, it shows them."""

    def __init__(self, family: Family, context: Context, execute: Run) -> None:
        super().__init__(
            family.name,
            params=[_parameter(parameter, context) for parameter in _global_options(context)],
            callback=self._show_help,
            invoke_without_command=True,
            help=family.description,
            short_help=family.summary,
            context_settings=_SETTINGS,
        )
        self._family = family
        self._context = context
        self._execute = execute
        self._words = [name.split()[1] for name in COMMANDS if name.startswith(f"{family.name} ")]

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return self._words

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        return _Command(COMMANDS[f"{self._family.name} {name}"], self._context, self._execute) if name in self._words else None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        _refuse_unknown(args, self._words, ctx)
        return super().resolve_command(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(_paint("cyan", ctx.command_path), "[OPTIONS] COMMAND …", prefix=f"{_heading('Usage')} ")

    def format_help_text(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_paragraphs(formatter, self._family.description)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        commands = [COMMANDS[f"{self._family.name} {word}"] for word in self._words]
        _write_section(formatter, "Commands", [(_paint("cyan", command.name), command.summary) for command in commands])
        _write_common_options(formatter, self._context)
        formatter.write(f"\n`{ctx.command_path} COMMAND --help` shows a command's arguments, its options and examples.\n")

    def _show_help(self, **_: object) -> None:
        _show_help_unless_a_command_follows()


class _Command(click.Command):
    """One command of the table."""

    def __init__(self, command: Command, context: Context, execute: Run) -> None:
        parameters: list[click.Parameter] = [_parameter(parameter, context) for parameter in command.parameters]
        parameters += [_parameter(parameter, context) for parameter in _global_options(context)]
        super().__init__(
            command.name.split()[-1],
            params=parameters,
            callback=self._call,
            help=command.description,
            short_help=command.summary,
            context_settings=_SETTINGS,
        )
        self._command = command
        self._context = context
        self._execute = execute

    def _call(self, **given: Value) -> None:
        ctx = click.get_current_context()
        for before in _before(ctx):
            for parameter in GLOBAL_OPTIONS:
                if given.get(parameter.name, parameter.absent) == parameter.absent:
                    given[parameter.name] = before.params.get(parameter.name, parameter.absent)
        values = Values(given)
        context = self._context.given(values, program=_program(ctx))
        if code := self._execute(self._command, context, values):
            ctx.exit(code)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        pieces = " ".join(self.collect_usage_pieces(ctx))
        formatter.write_usage(_paint("cyan", ctx.command_path), pieces, prefix=f"{_heading('Usage')} ")

    def format_help_text(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write_paragraphs(formatter, self._command.description)

    def format_options(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own = [_record(parameter) for parameter in self._command.parameters if parameter.flags]
        if own:
            _write_section(formatter, "Options", own)
        _write_common_options(formatter, self._context)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(f"\n{_heading('Examples')}\n")
        for line, purpose in self._command.examples:
            comment = _paint("dim", f"  # {purpose}") if purpose else ""
            formatter.write(f"  {_paint('cyan', f'{_program(ctx)} {line}')}{comment}\n")


def _write_paragraphs(formatter: click.HelpFormatter, text: str) -> None:
    """Paragraphs that are indented keep their lines."""
    for paragraph in text.split("\n\n"):
        formatter.write_paragraph()
        if paragraph.startswith(" "):
            formatter.write(paragraph + "\n")
        else:
            formatter.write_text(paragraph)


class _UnknownCommand(click.UsageError):
    def __init__(self, name: str, names: Sequence[str], ctx: click.Context) -> None:
        words = [before.info_name for before in (ctx, *_before(ctx)) if isinstance(before.command, _Family)]
        super().__init__(f"There is no command `{' '.join([*filter(None, words), name])}`", ctx)
        self.name = name
        self.names = names


def _refuse_unknown(args: Sequence[str], words: Sequence[str], ctx: click.Context) -> None:
    if args and not args[0].startswith("-") and args[0] not in words:
        raise _UnknownCommand(args[0], words, ctx)


def _show_help_unless_a_command_follows() -> None:
    ctx = click.get_current_context()
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), color=ctx.color)


def _before(ctx: click.Context) -> list[click.Context]:
    """The groups that led to a command, up to that of all commands, nearest first; an app's own groups are not among them."""
    groups: list[click.Context] = []
    before = ctx.parent
    while before and isinstance(before.command, _Family | _Group):
        groups.append(before)
        before = before.parent
    return groups


def _program(ctx: click.Context) -> str:
    """What people type to get to the commands."""
    return [ctx, *_before(ctx)][-1].command_path


def _global_options(context: Context) -> tuple[Parameter, ...]:
    """Those that users have: an app that brings its store doesn't let them choose another."""
    return GLOBAL_OPTIONS if context.store is None else tuple(option for option in GLOBAL_OPTIONS if option.name != "store")


def _parameter(parameter: Parameter, context: Context) -> click.Parameter:
    kind = click.Path() if parameter.completes == "path" else click.Choice(parameter.choices) if parameter.choices else None
    offer = _offer(parameter.completes, context) if parameter.completes in {"index", "plugin", "tool"} else None
    if not parameter.flags:
        return click.Argument(
            [parameter.name],
            type=kind,
            metavar=parameter.metavar,
            nargs=-1 if parameter.multiple else 1,
            required=parameter.required,
            shell_complete=offer,
        )
    spellings = [*parameter.flags, parameter.name]
    if parameter.is_flag:
        return click.Option(spellings, is_flag=True, help=parameter.help)
    if parameter.multiple and parameter.choices:
        choice = click.Choice(parameter.choices)
        return click.Option(
            spellings,
            metavar=parameter.metavar,
            multiple=True,
            help=parameter.help,
            callback=lambda ctx, option, given: tuple(choice.convert(name, option, ctx) for name in _names_in(given)),
            shell_complete=choice.shell_complete,
        )
    return click.Option(
        spellings, type=kind, metavar=parameter.metavar, multiple=parameter.multiple, help=parameter.help, callback=_refuse_option
    )


def _names_in(given: tuple[str, ...]) -> list[str]:
    """An option that takes several names takes them with commas between them, too."""
    return [name.strip() for names in given for name in names.split(",")]


def _refuse_option(
    ctx: click.Context, parameter: click.Parameter, value: str | tuple[str, ...] | None
) -> str | tuple[str, ...] | None:
    """None of our values begins with two dashes: the value was forgotten, and the next option taken for it."""
    for text in (value,) if isinstance(value, str) else value or ():
        if text.startswith("--"):
            raise click.BadOptionUsage(parameter.opts[0], f"Option '{parameter.opts[0]}' requires an argument.", ctx)
    return value


def _offer(what: str, context: Context) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]:
    def offer(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        stores = (chosen.params.get("store") for chosen in (ctx, *_before(ctx)))
        chosen = context.given(Values({"store": next(filter(None, stores), None)}))
        try:
            return [CompletionItem(word) for word in _complete.words(what, chosen.paths(), incomplete, ctx.params)]
        except (PlughostError, OSError):  # it would be printed into the line that is being typed
            return []

    return offer


def _record(parameter: Parameter) -> tuple[str, str]:
    """An option's line in the help."""
    spelling = ", ".join(_paint("cyan", flag) for flag in parameter.flags)
    notes = [
        f"[{'|'.join(parameter.choices)}]" if parameter.choices else "",
        f"[env: {parameter.env}]" if parameter.env else "",
        "(may be given several times)" if parameter.multiple else "",
    ]
    return f"{spelling} {parameter.metavar}".rstrip(), " ".join(filter(None, (parameter.help, *notes)))


def _write_section(formatter: click.HelpFormatter, title: str, rows: list[tuple[str, str]]) -> None:
    formatter.write(f"\n{_heading(title)}\n")
    formatter.indent()
    formatter.write_dl(rows)
    formatter.dedent()


def _write_common_options(formatter: click.HelpFormatter, context: Context) -> None:
    common = [_record(parameter) for parameter in _global_options(context)]
    _write_section(formatter, "Options of every command", [*common, (_paint("cyan", "--help, -h"), "Print this page")])


def _heading(title: str) -> str:
    return _paint("bold", f"{title}:")


def _paint(style: Style, text: str) -> str:
    return Stream("stdout").paint(style, text)


def _version_option() -> click.Option:
    return click.Option(["--version", "-V"], is_flag=True, is_eager=True, expose_value=False, callback=_show_version)


def _show_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click calls it
    if value:
        click.echo(version(ctx.command_path))
        ctx.exit()


def _usage_error(error: click.UsageError, context: Context) -> UsageError:
    """Click's error in our words, as far as it is of a kind we know."""
    path = error.ctx.command_path if error.ctx else context.program
    hint = f"`{path} --help` shows what it takes"
    near: list[str] = []
    message = error.format_message().rstrip(".").replace("'", "`")
    if isinstance(error, click.NoSuchOption):
        message = f"`{path}` has no option `{error.option_name}`"
        known = [] if error.ctx is None else [spelling for parameter in error.ctx.command.params for spelling in parameter.opts]
        near = _near(error.option_name, known)
    elif isinstance(error, _UnknownCommand):
        message = error.message
        near = [f"{path} {name}" for name in _near(error.name, error.names)]
    elif isinstance(error, click.MissingParameter) and error.param is not None:
        message = f"`{path}` needs `{error.param.metavar}`"
    elif isinstance(error, click.BadParameter) and error.param is not None:
        name = error.param.opts[0] if isinstance(error.param, click.Option) else error.param.metavar
        message = f"`{name}`: {error.message.rstrip('.')}".replace("'", "`")
    if near:
        hint = f"Did you mean `{near[0]}`?"
    return UsageError(message, reference="usage", hint=hint)


def _near(word: str, words: Sequence[str]) -> list[str]:
    import difflib

    return difflib.get_close_matches(word, words, n=1, cutoff=0.6)
