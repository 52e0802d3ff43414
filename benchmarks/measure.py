"""What the benchmarks share: commands measured by turns, and a table of ratios with the target beside each."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import uv

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: Real programs, no shims: those would be measured instead.
PYTHON = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
PLUGHOST = str(Path(sys.executable).with_name("plughost"))
UV = uv.find_uv_bin()


def environment(**more: str) -> dict[str, str]:
    """Ours, without what would slow one side down: shims, and a ban on bytecode."""
    path = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if Path(folder).name != "shims"]
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**ours, "PATH": os.pathsep.join(path), "UV_PYTHON": PYTHON, "UV_PYTHON_DOWNLOADS": "never", **more}


def run(argv: Sequence[str], env: Mapping[str, str]) -> None:
    """Run a command that must succeed; what it prints is shown only if it doesn't."""
    completed = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    if completed.returncode:
        sys.exit(f"error: `{' '.join(argv)}` exited with code {completed.returncode}\n{completed.stdout}{completed.stderr}")


def time_s(argv: Sequence[str], env: Mapping[str, str]) -> float:
    """Seconds from starting a command to its end. Its output goes to the null device, as a pipe would have to be read."""
    null = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
    before = time.perf_counter()
    _, status = os.waitpid(os.posix_spawn(argv[0], argv, env, file_actions=null), 0)
    after = time.perf_counter()
    if status:
        run(argv, env)  # once more, for what it prints
    return after - before


def by_turns(rounds: int, *measures: Callable[[], float]) -> list[float]:
    """The median of each measure. They take turns, so that a busy moment of the machine falls on all of them."""
    taken = [[measure() for measure in measures] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*taken, strict=True)]


def row(what: str, ours_s: float, theirs_s: float, target: float | None = None) -> None:
    ratio = ours_s / theirs_s
    verdict = "" if target is None else f"≤ ×{target:g}" + ("" if ratio <= target else "   missed")
    print(f"{what:<36}{ours_s * 1000:>9.1f} ms{theirs_s * 1000:>9.1f} ms   ×{ratio:<6.2f}{verdict}", flush=True)


def head(ours: str, theirs: str) -> None:
    print(f"{'':<36}{ours:>12}{theirs:>12}   ratio  target")


def repository(folder: Path, *, dependencies: Sequence[str] = ()) -> str:
    """A git repository with a package that is a plugin and, for others, a command; its source string."""
    (folder / "trivial").mkdir(parents=True)
    (folder / "trivial" / "__init__.py").write_text("def echo(value=None):\n    return value\n", encoding="utf-8")
    (folder / "pyproject.toml").write_text(
        f"""[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "trivial"
version = "1.0"
dependencies = {list(dependencies)!r}

[project.scripts]
trivial = "trivial:echo"

[project.entry-points.plughost]
echo = "trivial:echo"
""",
        encoding="utf-8",
    )
    git = [str(shutil.which("git")), "-C", str(folder), "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=A plugin"]):
        run([*git, *arguments], environment())
    return f"git+{folder.as_uri()}"
