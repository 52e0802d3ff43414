"""What would allow a plugin what it was denied, in a form that whoever reads it can paste: a command, or Python.

Above it: the policies; below it: nothing. What of it the child says itself, it is told ahead.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Remedy"]

_SOME_PROCESSES, _PROGRAMS = 16, "/usr/bin"
_PARTIES = {
    "app": "the app",
    "operator": "the settings",
    "project": "the settings",
    "caller": "the caller's `policy`",
    "command": "the command line",
}


class Remedy:
    """For one plugin. `program` is what people type before `policy set`; without one, it is for its app to change a grant.

    `decider` says who would decide a field, were the plugin granted these: whoever isn't the grant has to allow it, too. What
    `is_new` is granted when it is added.
    """

    __slots__ = ("_decider", "_is_new", "_plugin", "_program")

    def __init__(
        self, plugin: str, program: str, decider: Callable[[Mapping[str, object], str], str], *, is_new: bool = False
    ) -> None:
        self._plugin = plugin
        self._program = program
        self._decider = decider
        self._is_new = is_new

    def for_hosts(self) -> list[str]:
        """What would allow a host, for which `{}` stands; and what any traffic at all."""
        beside = self._beside("network", "on")
        ways = (self._way("--allow-net {}", {"network": ["{}"]}), self._way("network=on", {"network": "on"}))
        return [f"`{way}` would allow it{beside}" for way in ways]

    def for_processes(self) -> list[str]:
        """What would allow processes of its own Python; and what those of programs of the system, too."""
        beside = self._beside("processes", _SOME_PROCESSES)
        number = f"processes={_SOME_PROCESSES}"
        ways = (
            self._way(number, {"processes": _SOME_PROCESSES}),
            self._way(f"{number} execute={_PROGRAMS}", {"processes": _SOME_PROCESSES, "execute": [_PROGRAMS]}),
        )
        return [f"`{way}` would allow it{beside}" for way in ways]

    def for_programs(self, paths: Sequence[str]) -> str:
        """What would let it execute what is there, where it may have processes."""
        beside = self._beside("execute", tuple(paths))
        way = self._way(f"execute={_quoted(','.join(paths))}", {"execute": list(paths)})
        return f"`{way}` lets it{beside}"

    def for_file(self, path: str, field: str) -> str:
        """What would let it `read` a file, or `write` to it or into the folder."""
        beside = self._beside(field, (path,))
        way = self._way(f"--{field} {_quoted(path)}", {field: [path]})
        return f"`{way}` lets it {field} {'that' if field == 'read' else 'there'}{beside}"

    def _way(self, options: str, terms: Mapping[str, object]) -> str:
        if self._program and self._is_new:
            return " ".join(f"--grant {field}={_quoted(_bare(value))}" for field, value in terms.items())
        if self._program:
            return f"{self._program} policy set {self._plugin} {options}"
        table = ", ".join(f'"{field}": {_python(value)}' for field, value in terms.items())
        return f"grant={{{table}}}" if self._is_new else f'host.grant("{self._plugin}", {{{table}}})'

    def _beside(self, field: str, value: object) -> str:
        party = _PARTIES.get(self._decider({field: value}, field), "")
        return f" if {party} did, too" if party else ""


def _bare(value: object) -> str:
    return str(value[0] if isinstance(value, list) else value)


def _python(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_python, value))}]"
    return str(value) if isinstance(value, int) else '"{}"'.format(str(value).replace("\\", "\\\\").replace('"', '\\"'))


def _quoted(text: str) -> str:
    import shlex

    return text if text == "{}" else shlex.quote(text)
