"""What importing a plugin costs, what it prints, and whether its scripts are there.

Above it: the check; below it: `_measure.py`, which runs in the plugin's environment.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from plughost import _process
from plughost.authoring._findings import Finding
from plughost.registry import normalize_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Importing", "measure"]

_TIMEOUT_S = 60.0
_SLOW_S = 3.0
_LARGE_BYTES = 200 << 20
_SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Importing:
    """`memory_bytes` is by how much the process grew."""

    duration_s: float
    memory_bytes: int
    printed: str
    unresolved: Mapping[str, str]

    def record(self) -> dict[str, object]:
        return {"duration_s": round(self.duration_s, 6), "memory_bytes": self.memory_bytes}

    def findings(self) -> Iterator[Finding]:
        if self.printed.strip():
            shown = " ".join(self.printed.split())[:_SHOWN_CHARACTERS]
            yield Finding(reference="import-prints", where="import", message=f"Importing it prints `{shown}`")
        if self.duration_s > _SLOW_S:
            message = f"Importing it takes {self.duration_s:.1f} s, and first calls wait for it"
            yield Finding(reference="import-slow", where="import", message=message)
        if self.memory_bytes > _LARGE_BYTES:
            message = f"Importing it takes {self.memory_bytes >> 20} MiB, for as long as its process lives"
            yield Finding(reference="import-large", where="import", message=message)
        for name, fault in self.unresolved.items():
            yield Finding(reference="script-unresolved", where=f"script {name}", message=f"It can't be run: {fault}")


def measure(environment: Path, package: str, entry_points: Mapping[str, str]) -> Importing | None:
    """Import the modules of the entry points in a new process; None if that doesn't come to an end."""
    modules = dict.fromkeys(target.partition(":")[0] for target in entry_points.values())
    script = Path(__file__).with_name("_measure.py")
    argv = [str(environment / "bin" / "python"), "-I", str(script), *modules, "--", *_scripts(environment, package)]
    try:
        first = _run(argv)
        # On a busy machine, or from a cold disk, everything is slow once.
        return first if first.duration_s <= _SLOW_S else min(first, _run(argv), key=lambda found: found.duration_s)
    except (TimeoutError, LookupError, TypeError, ValueError):
        return None


def _run(argv: list[str]) -> Importing:
    """Raises: TimeoutError: it doesn't end. LookupError, TypeError, ValueError: it doesn't say what it has to."""
    completed = _process.run(argv, env=_process.base_environment(), timeout_s=_TIMEOUT_S)
    found = json.loads(completed.stdout.splitlines()[-1])
    return Importing(
        duration_s=float(found["duration_s"]),
        memory_bytes=int(found["memory_bytes"]),
        printed=str(found["printed"]),
        unresolved={str(name): str(fault) for name, fault in found["unresolved"].items()},
    )


def _scripts(environment: Path, package: str) -> list[str]:
    folders = [str(path) for path in environment.glob("lib/python*/site-packages")]
    return [
        f"{point.name}={point.value.partition('[')[0].strip()}"
        for distribution in distributions(path=folders)
        if normalize_name(distribution.metadata["Name"]) == package
        for point in distribution.entry_points
        if point.group in {"console_scripts", "gui_scripts"}
    ]
