"""A new project: a folder filled from a template, and a git repository with its first commit.

Above it: the command line; below it: the templates and git. It is made aside and moved into place, so that whatever ends it,
an interrupt included, leaves nothing.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from plughost._templates import render
from plughost.authoring._repository import Git
from plughost.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    #: "" is none: it wasn't wanted, or the folder is a part of another repository; or there is no git.
    Repository = Literal["made", "", "git-missing"]

__all__ = ["Made", "make_project", "your_name"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """`steps` are the next command lines, each with what it does, for a shell that is in `folder`."""

    folder: Path
    repository: Repository
    steps: tuple[tuple[str, str], ...]


def make_project(
    name: str,
    *,
    template: str = "tool",
    into: str | os.PathLike[str] = "",
    description: str = "",
    author: str = "",
    project: str = "plughost",
    git: bool = True,
    force: bool = False,
) -> Made:
    """Make the folder `into`, or one with the name, from a template; `git`: a repository, with all of it as the first commit.

    In a folder that is in a repository already it is made only with `force` or without `git`, and gets none of its own.

    Raises: UsageError: a name can't be used, the folder has something in it, it is in a repository, or it can't be
    written. SourceError: git can't make the repository. After any of them nothing is left.
    """
    folder = Path(os.path.abspath(into or name))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"`{into or name}` is not an empty folder", reference="usage", hint="Name a folder that is new or empty")
    program = Git.find() if git else None
    around = program.work_tree(_nearest(folder)) if program else ""
    if around and not force:
        raise UsageError(
            f"`{into or name}` would be in the git repository `{around}`",
            reference="usage",
            hint="`--force` makes it there all the same, without a repository of its own; `--into FOLDER` makes it elsewhere",
        )
    missing = _missing_parents(folder)
    aside = (missing[-1].parent if missing else folder) / f".{folder.name}-{os.urandom(4).hex()}.new"
    try:
        steps = render(template, aside, name=name, description=description, author=author, project=project)
        if program and not around:
            program.make_repository(
                aside, author=author or f"The {name} authors", message=f"Make {name} from the template {template}"
            )
        _move(aside, folder)
    except BaseException as error:
        shutil.rmtree(aside, ignore_errors=True)
        for parent in missing[1:]:
            _remove_if_empty(parent)
        if isinstance(error, OSError):
            raise UsageError(
                f"`{into or name}` can't be made", reference="usage", causes=[error.strerror or str(error)]
            ) from error
        raise
    return Made(
        folder=folder, repository="git-missing" if git and not program else "made" if git and not around else "", steps=steps
    )


def your_name() -> str:
    """As git has been told: `Ada <ada@example.org>`, or the name alone; empty where it knows none."""
    git = Git.find()
    return git.author() if git else ""


def _move(aside: Path, folder: Path) -> None:
    """Put what was made aside in its place. A folder that is there already, and empty, stays: a shell may be in it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not folder.exists():
        aside.rename(folder)
        return
    moved: list[Path] = []
    try:
        for path in sorted(aside.iterdir()):
            target = folder / path.name
            moved.append(target)
            path.rename(target)
    except BaseException:
        for path in moved:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        raise
    aside.rmdir()


def _nearest(folder: Path) -> Path:
    """The folder, or the first above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def _missing_parents(folder: Path) -> list[Path]:
    """The folder and those above it that are to be made, the innermost first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # not there, or somebody has put something into it
        pass
