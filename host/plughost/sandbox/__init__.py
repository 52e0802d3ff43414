"""Policy → what a child is started with, so that the kernel keeps it, and who watches what the kernel doesn't.

Above it: the workers and the host; below it: policies. What is applied inside the child is the runner's `_confine`.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.sandbox._broker import Broker
    from plughost.sandbox._build_watch import BuildLimits
    from plughost.sandbox._census import Census
    from plughost.sandbox._cgroup import Cgroups, find_root
    from plughost.sandbox._confinement import Confinement
    from plughost.sandbox._guard import Guard
    from plughost.sandbox._hidden import may_read
    from plughost.sandbox._machine import Machine, found_machine, known_machine
    from plughost.sandbox._missing import Missing, unenforceable
    from plughost.sandbox._plan import Ways
    from plughost.sandbox._unconfined import confinement_failed
    from plughost.sandbox._work import WorkFolders, abandoned, clear
    from plughost.sandbox._workshop import Workshop

__all__ = [
    "Broker",
    "BuildLimits",
    "Census",
    "Cgroups",
    "Confinement",
    "Guard",
    "Machine",
    "Missing",
    "Ways",
    "WorkFolders",
    "Workshop",
    "abandoned",
    "clear",
    "confinement_failed",
    "find_root",
    "found_machine",
    "held_bytes",
    "known_machine",
    "may_read",
    "unenforceable",
]

__getattr__ = lazily(
    __name__,
    {
        "_census": ("Census",),
        "_cgroup": ("Cgroups", "find_root"),
        "_guard": ("Guard",),
        "_broker": ("Broker",),
        "_build_watch": ("BuildLimits",),
        "_disk": ("held_bytes",),
        "_hidden": ("may_read",),
        "_machine": ("Machine", "found_machine", "known_machine"),
        "_confinement": ("Confinement",),
        "_missing": ("Missing", "unenforceable"),
        "_plan": ("Ways",),
        "_unconfined": ("confinement_failed",),
        "_work": ("WorkFolders", "abandoned", "clear"),
        "_workshop": ("Workshop",),
    },
)
