"""`new`: a project from a template. On a terminal it asks for what isn't given."""

from __future__ import annotations

import os
import shlex
import sys
from importlib.util import find_spec

from plughost._process import find_program
from plughost._templates import templates
from plughost.authoring import make_project, your_name
from plughost.cli._printer import home_as_tilde

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.authoring import Made
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.cli._printer import Printer

__all__ = ["new"]


def new(context: Context, values: Values) -> int:
    printer = context.printer
    name, template = values.text("name"), values.optional("template")
    description, author = values.optional("description"), values.optional("author")
    asked = not (values.flag("json") or printer.quiet)
    if asked and sys.stdin is not None and sys.stdin.isatty() and printer.out.is_terminal:
        template = _choose(printer) if template is None else template
        about = templates()[template].description(name)
        description = _ask(printer, "Description", about) if description is None else description
        author = _ask(printer, "Author", your_name() or f"The {name} authors") if author is None else author
    template = template or "tool"
    made = make_project(
        name,
        template=template,
        into=values.text("into"),
        description=description or "",
        author=your_name() if author is None else author,
        project=values.text("project") or context.project,
        git=not values.flag("no_git"),
        force=values.flag("force"),
    )
    shown = os.path.relpath(made.folder)
    if values.flag("json"):
        steps = [{"run": _runnable(run), "what": what} for run, what in made.steps]
        printer.json({"folder": str(made.folder), "template": template, "repository": made.repository == "made", "steps": steps})
    elif not printer.quiet:
        _tell(printer, made, shown, template)
    return 0


def _tell(printer: Printer, made: Made, shown: str, template: str) -> None:
    out = printer.out
    repository = {"made": ", a git repository", "git-missing": "; it is no git repository, since there is no `git`"}
    what = f"`{shown}` from the template `{template}`{repository.get(made.repository, '')}"
    printer.line(f"{out.paint('green', 'Made')} {out.highlight(what)}")
    steps = [*([(f"cd {shlex.quote(shown)}", "")] if shown != "." else []), *((_runnable(run), what) for run, what in made.steps)]
    steps = [(home_as_tilde(run), what) for run, what in steps]  # as they will be printed, which says how wide they are
    width = max(len(run) for run, what in steps if what)
    printer.line()
    printer.line("Next:")
    for run, what in steps:
        printer.line(f"  {out.paint('cyan', run)}{' ' * (width - len(run))}  {out.paint('dim', what)}".rstrip())


def _runnable(command: str) -> str:
    """The command with our own uv, where there is none on PATH; with pip, where there is none at all."""
    if not command.startswith("uv ") or find_program("uv"):
        return command
    python = shlex.quote(sys.executable)
    if find_spec("uv"):
        return f"{python} -m {command}"
    rest = command.removeprefix("uv ")
    if rest.startswith("pip "):
        return f"{python} -m {rest}"
    return f"{python} -m venv .venv && .venv/bin/pip install --editable . pytest && .venv/bin/{rest.removeprefix('run ')}"


def _choose(printer: Printer) -> str:
    """The template, by its name or its number."""
    known = list(templates().values())
    width = max(len(template.name) for template in known)
    printer.line("Templates:")
    for number, template in enumerate(known, 1):
        printer.line(
            f"  {number}  {printer.out.paint('bold', template.name)}{' ' * (width - len(template.name))}  {template.summary}"
        )
    names = [template.name for template in known]
    while True:
        answer = _ask(printer, "Template", names[0])
        if answer in names:
            return answer
        if answer.isdecimal() and 0 < int(answer) <= len(names):
            return names[int(answer) - 1]
        printer.line(f"Give a name, or a number from 1 to {len(names)}")


def _ask(printer: Printer, question: str, default: str) -> str:
    """A line from the terminal; `default` for an empty one."""
    printer.out.write(f"{printer.out.paint('bold', question)} {printer.out.paint('dim', f'[{default}]')}: ")
    line = ""
    try:
        line = sys.stdin.readline()
    finally:
        if not line:  # Ctrl-C, or the end of the input, Ctrl-D
            printer.out.write("\n")
    if not line:
        raise KeyboardInterrupt
    return line.strip() or default
