"""The commits between two of a repository: what an update brings.

Above it: `update`, which shows them; below it: `_command`. Only the commits are fetched, without the files, where the server can
leave those out.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from plughost.errors import PlughostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from plughost.source._command import Git

__all__ = ["Commit", "History", "commits_between"]

#: Of longer histories the rest is left out.
_MOST_COMMITS = 100
#: To know them is worth waiting for, but not for long.
_TIMEOUT_S = 30.0
_FORMAT = "%H%x00%ct%x00%an%x00%s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit: when it was made (UTC, ISO 8601), by whom, and the first line of its message."""

    commit_id: str
    made_at: str
    author: str
    subject: str

    def record(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The commits since an earlier one, newest first.

    Where they don't lead to it there are none here: the branch was `rewritten`, or there are more than are looked at.
    """

    commits: tuple[Commit, ...]
    rewritten: bool


def commits_between(git: Git, earlier: str, later: str, folder: Path) -> History | None:
    """What leads from the commit `earlier` to `later`; None where the repository can't be asked in time. Never raises.

    `folder` is empty, and of no use afterwards.
    """
    doing = f"fetch the history of `{git.url}`"
    here = ["-C", str(folder)]
    try:
        git.check([*here, "init", "-q", "--bare", "--template="], doing=doing)
        fetch = [*here, "fetch", "-q", "--no-tags", "--filter=tree:0", f"--depth={_MOST_COMMITS}", *git.upload_pack]
        git.check([*fetch, "--end-of-options", git.url, later], doing=doing, timeout_s=_TIMEOUT_S)
        known = git.run([*here, "cat-file", "-e", f"{earlier}^{{commit}}"]).returncode == 0
        span = [later, f"^{earlier}"] if known else [later]
        listed = git.check([*here, "log", "-z", f"--format={_FORMAT}", *span, "--"], doing=doing)
    except (PlughostError, OSError):
        return None
    is_all = not (folder / "shallow").exists()
    return History(commits=tuple(_commits(listed)) if known else (), rewritten=is_all and not known)


def _commits(listed: str) -> list[Commit]:
    fields = listed.split("\0")
    rows = zip(*[iter(fields)] * 4, strict=False)
    return [
        Commit(commit_id=name, made_at=datetime.fromtimestamp(int(time), UTC).isoformat(), author=author, subject=subject)
        for name, time, author, subject in rows
    ]
