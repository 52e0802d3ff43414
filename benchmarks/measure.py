"""What the benchmarks share: commands measured by turns, and a table of ratios with the target beside each."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import uv

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import plughost

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


def each_s(count: int, call: Callable[[], object], *, warm: int = 3) -> float:
    """Seconds that a call takes, of so many in a row. Some before them bring back what others have driven out of the caches."""
    for _ in range(min(count, warm)):
        call()
    before = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - before) / count


def pin() -> None:
    """Have this process and all that it starts on one CPU: where the kernel puts both ends is worth a factor of four."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def duration(seconds: float) -> str:
    if seconds < 1e-3:  # noqa: PLR2004 - in the unit that leaves few digits
        return f"{seconds * 1e6:.1f} µs"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def row(what: str, ours_s: float, theirs_s: float, target: float | None = None) -> None:
    ratio = ours_s / theirs_s
    verdict = "" if target is None else f"≤ ×{target:g}" + ("" if ratio <= target else "   missed")
    print(f"{what:<36}{ours_s * 1000:>9.1f} ms{theirs_s * 1000:>9.1f} ms   ×{ratio:<6.2f}{verdict}", flush=True)


def head(ours: str, theirs: str) -> None:
    print(f"{'':<36}{ours:>12}{theirs:>12}   ratio  target")


def wheel(folder: Path, name: str, code: str, *, entry_points: str, requires: Sequence[str] = ()) -> str:
    """A wheel with one module, whose entry points are the lines of a file; its path."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    needs = "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", code)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needs}")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/entry_points.txt", entry_points)
        archive.writestr(f"{info}/RECORD", "".join(f"{member},,\n" for member in (*archive.namelist(), f"{info}/RECORD")))
    return str(path)


def copy_plugin(host: plughost.Host, name: str, count: int) -> None:
    """Have `NAME-0000`, which is installed, so often: copies of its record, `NAME-0001` and so on, share its environment."""
    original = Path(host.store.plugin(f"{name}-0000"))
    files = [path for path in original.rglob("*") if path.suffix != ".whl" and path.is_file()]
    texts = {file.relative_to(original): file.read_text(encoding="utf-8") for file in files}
    for number in range(1, count):
        copy = f"{name}-{number:04}"
        for path, text in texts.items():
            file = Path(host.store.plugin(copy)) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.replace(original.name, copy), encoding="utf-8")


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
