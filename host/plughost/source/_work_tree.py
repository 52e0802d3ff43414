"""The git work tree that a folder is in: its files, its commit, its history. Nothing is written into it, not even its index.

Above it: `_folder`; below it: `_command`.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from plughost.errors import SourceError
from plughost.source._command import Git

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["WorkTree", "find_work_tree"]

_SUBMODULE_MODE = "160000"

#: Of a repository's own folder: what is found through the alternates, is no part of the history, or may hold passwords.
_NOT_COPIED = ("objects", "hooks", "logs", "lfs", "modules", "worktrees", "*.lock", "fsmonitor*", "config*", "*_HEAD")
#: What of its settings says how the rest is to be read.
_COPIED_SETTINGS = r"^(core\.repositoryformatversion|extensions\.(objectformat|refstorage))$"


class WorkTree:
    """A folder in a git work tree whose top is `top`. A linked work tree, or a submodule, has its repository elsewhere."""

    def __init__(self, git: Git, folder: Path, *, top: Path, git_folder: Path, common_folder: Path) -> None:
        self.top = top
        self._git = git
        self._folder = folder
        self._git_folder = git_folder
        self._common_folder = common_folder

    def tracked_and_new(self) -> tuple[list[str], list[str]] | None:
        """The files that git tracks in the folder, and those it would add; None if it can't say them, or there are none."""
        tracked = self._list("--cached")
        new = self._list("--others", "--exclude-standard")
        listed = [*tracked, *new]
        # The names of files need not be UTF-8; what was printed in another form can't be found again.
        return None if not listed or any("\ufffd" in name for name in listed) else (tracked, new)

    def clean_commit(self) -> str:
        """The commit, if the folder is as it is in there; else empty."""
        head = self._git.run(["-C", str(self._folder), "rev-parse", "-q", "--verify", "HEAD"])
        if head.returncode:
            return ""
        filters = self._own_filters()
        if any("=" in name for name in filters):  # which can't be switched off
            return ""
        without_filters = [item for name in filters for item in ("-c", f"{name}=")]
        # A submodule has filters of its own, so each is asked by itself.
        status = ["status", "--porcelain", "--untracked-files=all", "--ignore-submodules=dirty", "--", "."]
        changes = self._git.check(
            [*without_filters, "-C", str(self._folder), *status], doing=f"compare `{self._folder}` with its commit"
        )
        clean = not changes.strip() and all(submodule.clean_commit() for submodule in self._submodules())
        return head.stdout.strip() if clean else ""

    def commit_time(self) -> int:
        """In seconds."""
        arguments = ["-C", str(self._folder), "rev-list", "-1", "--timestamp", "HEAD"]
        return int(self._git.check(arguments, doing=f"read the commit of `{self._folder}`").split()[0])

    def copy_history(self, into: Path) -> None:
        """Make `into`, a copy of the whole work tree's files, a work tree with the same commit, tags and index."""
        copied = into / ".git"
        shutil.copytree(self._common_folder, copied, ignore=shutil.ignore_patterns(*_NOT_COPIED), symlinks=True)
        for name in ("HEAD", "index"):
            if (self._git_folder / name).is_file():
                shutil.copyfile(self._git_folder / name, copied / name)
        (copied / "objects" / "info").mkdir(parents=True)
        (copied / "objects" / "info" / "alternates").write_bytes(os.fsencode(self._common_folder / "objects") + b"\n")
        settings = self._git.run(["-C", str(self._folder), "config", "--local", "--get-regexp", _COPIED_SETTINGS]).stdout
        for name, _, value in (line.partition(" ") for line in settings.splitlines()):
            self._git.check(
                ["config", "--file", str(copied / "config"), name, value], doing=f"copy the history of `{self._folder}`"
            )

    def _own_filters(self) -> list[str]:
        """The settings of this repository, and not of its user, that name programs to run for files."""
        listed = self._git.run(
            ["-C", str(self._folder), "config", "--show-scope", "--name-only", "--get-regexp", r"^filter\."]
        ).stdout
        pairs = (line.partition("\t") for line in listed.splitlines())
        return [name for scope, _, name in pairs if scope in {"local", "worktree"} and not name.endswith(".required")]

    def _submodules(self) -> Iterator[WorkTree]:
        """Those in the folder that are checked out."""
        arguments = ["-C", str(self._folder), "ls-files", "-z", "--stage"]
        for entry in self._git.check(arguments, doing=f"list the files of `{self._folder}`").split("\0"):
            details, _, name = entry.partition("\t")
            path = self._folder / name
            if details.startswith(_SUBMODULE_MODE) and (submodule := find_work_tree(path)) and submodule.top == path.resolve():
                yield submodule

    def _list(self, *which: str) -> list[str]:
        arguments = ["-C", str(self._folder), "ls-files", "-z", *which]
        found = []
        for name in self._git.check(arguments, doing=f"list the files of `{self._folder}`").split("\0"):
            path = self._folder / name
            if not name or not os.path.lexists(path):
                continue
            if path.is_symlink() or not path.is_dir():
                found.append(name)
            elif submodule := find_work_tree(path):
                tracked, new = (submodule.tracked_and_new() if submodule.top == path else None) or ([], [])
                found += [f"{name.rstrip('/')}/{inner}" for inner in (*tracked, *new)]
        return found


def find_work_tree(folder: Path) -> WorkTree | None:
    """None where the folder is in none, is ignored by it, or there is no git."""
    folder = folder.resolve()  # as git names it
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return None
    try:
        git = Git(folder.as_uri())
    except SourceError:
        return None
    here = ["-C", str(folder), "rev-parse", "--path-format=absolute", "--show-toplevel", "--git-dir", "--git-common-dir"]
    asked = git.run(here)
    places = [Path(line) for line in asked.stdout.splitlines()]
    if asked.returncode or len(places) != 3:  # noqa: PLR2004 - as many as were asked for
        return None
    top, git_folder, common_folder = places
    if folder != top and git.run(["-C", str(folder), "check-ignore", "-q", "."]).returncode == 0:
        return None
    return WorkTree(git, folder, top=top, git_folder=git_folder, common_folder=common_folder)
