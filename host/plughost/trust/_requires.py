"""Which package depends on which, by the metadata in the environment: markers and extras are those of this plugin.

Above it: the bill of materials; below it: `packaging`. A lock needn't say it, and pip's locks don't.
"""

from __future__ import annotations

from typing import cast

from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement

from plughost._names import normalized
from plughost._values import texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from email.message import Message

    from plughost._info import Plugin

__all__ = ["dependencies"]


def dependencies(plugin: Plugin, metadata: Mapping[str, Message]) -> dict[str, set[str]]:
    """For each package the packages that it depends on. What was added by `--with` counts as the plugin's own."""
    receipt = plugin.receipt
    markers = _markers(receipt.python_version)
    graph: dict[str, set[str]] = {name: set() for name in metadata}
    wanted = [(receipt.package, extra) for extra in ("", *texts(receipt.request.get("extras")))]
    for text in texts(receipt.request.get("with")):
        for name, extra in _named(text, markers, ""):
            graph.setdefault(receipt.package, set()).add(name)
            wanted.append((name, extra))
    seen: set[tuple[str, str]] = set()
    while wanted:
        package, extra = wanted.pop()
        if (package, extra) in seen or package not in metadata:
            continue
        seen.add((package, extra))
        for line in metadata[package].get_all("Requires-Dist", []):
            for name, further in _named(str(line), markers, extra):
                wanted.append((name, further))
                if name != package:  # an extra of its own that stands for others
                    graph[package].add(name)
    return graph


def _named(text: str, markers: Mapping[str, str], extra: str) -> Iterator[tuple[str, str]]:
    """The package that the requirement names, with no extra and with each, if its marker holds."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement:  # an older one, or the path of a file
        return
    if requirement.marker is None or requirement.marker.evaluate({**markers, "extra": extra}):
        name = normalized(requirement.name)
        yield from ((name, further) for further in ("", *map(normalized, requirement.extras)))


def _markers(python_version: str) -> dict[str, str]:
    """The environment that markers are read in: this machine, and the plugin's Python."""
    series = ".".join(python_version.split(".")[:2])
    machine = cast("dict[str, str]", default_environment())
    return {**machine, "python_full_version": python_version, "python_version": series, "implementation_version": python_version}
