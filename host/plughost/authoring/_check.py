"""The check of a project, as its users will meet it: built, installed into a store that is thrown away, described and called.

Above it: the command line and tests; below it: `Host`, and the checks of this room.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import tomllib
from dataclasses import dataclass
from math import inf
from pathlib import Path

from plughost.authoring._contents import check_contents
from plughost.authoring._examples import EXAMPLES_FILE, Example, from_docstring, from_file
from plughost.authoring._findings import Finding
from plughost.authoring._importing import Importing, measure
from plughost.authoring._schemas import check_tool
from plughost.authoring._throw_away import throw_away_host
from plughost.authoring._trial import try_examples
from plughost.contract import find_faults, read_hooks
from plughost.errors import PlughostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pluggy import PluginManager

    from plughost._info import Plugin
    from plughost.host import Host
    from plughost.paths import Store
    from plughost.session import Session

__all__ = ["Report", "check_project", "project_of"]

_SEVERITIES = ("error", "warning", "note")

#: Groups of entry points that are other programs' business.
_FOREIGN = frozenset(("babel.extractors", "console_scripts", "distutils.commands", "gui_scripts", "pygments.lexers", "pytest11"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found in a project. Without `name`, it couldn't be installed. `findings` are in order, the gravest first."""

    source: str
    project: str
    name: str = ""
    version: str = ""
    findings: tuple[Finding, ...]
    tools: int = 0
    hooks: int = 0
    examples: int = 0
    importing: Importing | None = None
    duration_s: float

    def count(self, severity: str) -> int:
        return sum(finding.severity == severity for finding in self.findings)

    def record(self) -> dict[str, object]:
        """As plain JSON values."""
        return {
            "source": self.source,
            "project": self.project,
            "name": self.name or None,
            "version": self.version or None,
            "findings": [finding.record() for finding in self.findings],
            **{f"{severity}s": self.count(severity) for severity in _SEVERITIES},
            "tools": self.tools,
            "hooks": self.hooks,
            "examples": self.examples,
            "import": self.importing.record() if self.importing else None,
            "duration_s": round(self.duration_s, 3),
        }


def project_of(source: str, default: str = "plughost") -> str:
    """The project that the package in the folder `source` is for, by its entry points: `default`, or the one other."""
    try:
        document = tomllib.loads(Path(source, "pyproject.toml").read_text(encoding="utf-8"))
        groups = set(document["project"]["entry-points"]) - _FOREIGN
    except (OSError, ValueError, LookupError, TypeError):
        return default
    return groups.pop() if default not in groups and len(groups) == 1 else default


def check_project(source: str, *, downloads: Store, project: str = "plughost", manager: PluginManager | None = None) -> Report:
    """Check a project, in a folder or from any other source; with `manager`, its hooks too.

    The examples are called with a copy of the folder as their current folder, and what the project asks for is granted. Nothing
    is left but downloads, in the cache of `downloads`.
    """
    started = time.monotonic()
    given, source = source, str(Path(source).absolute()) if Path(source).is_dir() else source
    with throw_away_host(project, downloads=downloads) as (host, scratch):
        try:
            plugin = host.add(source, grant="all").plugin
        except PlughostError as error:
            message = ": ".join((error.message, *error.causes))
            findings = (Finding(reference="not-installable", where=given, message=message),)
            return Report(source=given, project=project, findings=findings, duration_s=time.monotonic() - started)
        examples: list[Example] = []
        found = list(_examples(source, plugin, examples))
        importing = measure(plugin.environment, plugin.receipt.package, plugin.entry_points)
        found += [
            *(finding for tool in plugin.tools for finding in check_tool(tool)),
            *check_contents(plugin.environment, plugin.receipt.package),
            *(importing.findings() if importing else ()),
            *_hooks(host, plugin, manager),
        ]
        with _session(host, plugin.name, source, scratch / "copy") as session:
            found += try_examples(session, examples)
        return Report(
            source=given,
            project=project,
            name=plugin.name,
            version=plugin.version,
            findings=tuple(sorted(found, key=lambda finding: _SEVERITIES.index(finding.severity))),
            tools=len(plugin.tools),
            hooks=len(plugin.hooks),
            examples=len(examples),
            importing=importing,
            duration_s=time.monotonic() - started,
        )


def _examples(source: str, plugin: Plugin, into: list[Example]) -> Iterator[Finding]:
    """Collect the examples; what is wrong with them, and which tools have none."""
    folder = Path(source)
    written = [item for tool in plugin.tools for item in from_docstring(tool)]
    listed = list(from_file(folder / EXAMPLES_FILE)) if folder.is_dir() else []
    names = {str(tool["name"]) for tool in plugin.tools}
    for item in (*written, *listed):
        if isinstance(item, Finding):
            yield item
        elif item.tool in names:
            into.append(item)
        else:
            yield Finding(reference="example-invalid", where=EXAMPLES_FILE, message=f"There is no tool `{item.tool}`")
    for name in sorted(names - {example.tool for example in into}):
        yield Finding(reference="example-missing", where=name, message="No example of it is tried")


def _hooks(host: Host, plugin: Plugin, manager: PluginManager | None) -> Iterator[Finding]:
    if manager is None:
        return
    for fault in find_faults(read_hooks(plugin.name, host.manifest(plugin.name)), manager, unknown=True):
        yield Finding(reference="hook-mismatch", where=f"hook {fault.hook}", message=fault.message)


@contextlib.contextmanager
def _session(host: Host, plugin: str, source: str, scratch: Path) -> Iterator[Session]:
    """A session in a copy of the project, so that examples find its files and can't spoil them."""
    from plughost import source as sources

    scratch.mkdir()
    if Path(source).is_dir():
        parsed = sources.parse(source)
        sources.check_out(parsed, sources.resolve(parsed), scratch)
    with host.session(plugin, idle_timeout_s=inf, task_timeout_s=inf, lifetime_s=inf, max_tasks=inf, memory_bytes=inf) as session:
        shutil.copytree(scratch, session.folder, symlinks=True, dirs_exist_ok=True)
        owner = os.stat(session.folder)
        for folder, folders, files in os.walk(session.folder):
            for name in (*folders, *files):
                os.chown(os.path.join(folder, name), owner.st_uid, owner.st_gid, follow_symlinks=False)
        yield session
