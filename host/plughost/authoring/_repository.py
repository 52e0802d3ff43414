"""A new project as a git repository, with its first commit. The user's own git, settings and identity.

Above it: `_project`; below it: `_process`.
"""

from __future__ import annotations

import os

from plughost import _process
from plughost.errors import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Git"]

_TIMEOUT_S = 60.0

#: What would send us to another repository, as inside a hook of git's.
_LEFT_OUT = frozenset(
    ("GIT_COMMON_DIR", "GIT_DIR", "GIT_INDEX_FILE", "GIT_NAMESPACE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_WORK_TREE")
)


class Git:
    """The user's git."""

    __slots__ = ("_environment", "_program")

    def __init__(self, program: str) -> None:
        self._program = program
        kept = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
        self._environment = {**kept, "GIT_TERMINAL_PROMPT": "0"}

    @classmethod
    def find(cls) -> Git | None:
        program = _process.find_program("git")
        return cls(program) if program else None

    def work_tree(self, folder: Path) -> str:
        """The top of the work tree that `folder` is in; empty if it is in none."""
        code, text = self._ask(folder, "rev-parse", "--show-toplevel")
        return text if code == 0 else ""

    def author(self) -> str:
        """`Name <address>` as the user has told git; what isn't told is left out."""
        name, address = self._setting("user.name"), self._setting("user.email")
        return f"{name} <{address}>" if name and address else name

    def make_repository(self, folder: Path, *, author: str, message: str) -> None:
        """Make `folder` a repository, and all that is in it the first commit: by `author`, where git knows nobody.

        Neither hooks nor signing: they may ask questions, or refuse what they have not been set up for.

        Raises: SourceError: git can't.
        """
        branch = [] if self._setting("init.defaultBranch") else ["-c", "init.defaultBranch=main"]
        self._do(folder, *branch, "init", "--quiet")
        self._do(folder, "add", "--all")
        commit = ["commit", "--quiet", "--no-verify", "--no-gpg-sign", f"--message={message}"]
        self._do(folder, "-c", f"core.hooksPath={os.devnull}", *self._identity(author), *commit)

    def _identity(self, author: str) -> list[str]:
        """Of those who make the commit, what git doesn't know."""
        name, address, needed = author, "", []
        if author.endswith(">"):
            name, _, address = author[:-1].partition("<")
        for variable, setting, value in (
            ("NAME", "user.name", name.strip() or "Nobody"),
            ("EMAIL", "user.email", address.strip() or "nobody@localhost"),
        ):
            told = all(f"GIT_{who}_{variable}" in self._environment for who in ("AUTHOR", "COMMITTER"))
            if not told and not self._setting(setting):
                needed += ["-c", f"{setting}={value}"]
        return needed

    def _setting(self, name: str) -> str:
        code, text = self._ask(None, "config", "--get", name)
        return text if code == 0 else ""

    def _ask(self, folder: Path | None, *arguments: str) -> tuple[int, str]:
        place = [] if folder is None else ["-C", str(folder)]
        completed = _process.run([self._program, *place, *arguments], env=self._environment, timeout_s=_TIMEOUT_S)
        return completed.returncode, completed.stdout.rstrip("\n")

    def _do(self, folder: Path, *arguments: str) -> None:
        completed = _process.run([self._program, "-C", str(folder), *arguments], env=self._environment, timeout_s=_TIMEOUT_S)
        if completed.returncode:
            raise SourceError(
                "The project can't be made a git repository",
                reference="git-failed",
                causes=completed.stderr.strip().splitlines()[-3:],
                hint="`--no-git` makes the folder alone",
            )
