"""The table of keys: what each setting is called, which values it takes, and who decides where several have set it.

Above it: whatever reads, shows or documents settings; below it: nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    #: `path` and `python` are texts too; a relative path is relative to the file that it stands in.
    Kind = Literal[
        "text", "path", "python", "instant", "count", "switch", "patterns", "names", "preset", "policies", "seconds", "size"
    ]
    #: `project`: a project's file is stronger than the user's. `operator`: the other way round. `all`: the lists add up.
    #: `narrowing`: a project's file takes away from what the operator says. `operator-alone`: it can't have it.
    Decides = Literal["project", "operator", "all", "earlier", "narrowing", "operator-alone"]

__all__ = ["KEYS", "Key"]


class Key:
    """A setting. `name` is what it is called in TOML, `attribute` in Python, `variable` in the environment."""

    __slots__ = ("attribute", "choices", "decides", "kind", "name", "summary", "variable")

    def __init__(
        self, name: str, kind: Kind, summary: str, *, choices: tuple[str, ...] = (), decides: Decides = "project"
    ) -> None:
        self.name = name
        self.kind = kind
        self.summary = summary
        self.choices = choices
        self.decides = decides
        self.attribute = name.replace("-", "_")
        self.variable = f"PLUGHOST_{self.attribute.upper()}"


_KEYS = (
    Key("allow-unenforced", "names", "Limits that may go unenforced where this machine can't", decides="operator-alone"),
    # A project that came with somebody else's repository must not say whose signatures are good.
    Key("allowed-signers", "path", "The OpenSSH file of those who may sign what is installed", decides="operator"),
    Key("audit-service", "text", "The URL of the OSV-compatible service that knows of vulnerabilities", decides="operator"),
    # Nor what a package of its own may take of the machine.
    Key("build-disk", "size", "What a build may write", decides="operator"),
    Key("build-memory", "size", "What the processes of a build may need", decides="operator"),
    Key("build-processes", "count", "How many processes a build may have at once", decides="operator"),
    Key("build-time", "seconds", "How long a build may take", decides="operator"),
    # Nor may it shorten the time that the operator has others wait for.
    Key(
        "exclude-newer",
        "instant",
        "Leave out what was published after this date, or within this time, such as `7 days`",
        decides="earlier",
    ),
    Key("installer", "text", "What builds, resolves and installs", choices=("pip", "uv")),
    Key("keep-revisions", "count", "How many revisions of a plugin are kept, the one in force included"),
    Key("offline", "switch", "Use nothing from the network"),
    # Nor may it give plugins more than the operator does.
    Key("policies", "policies", "What single plugins may use, by their names", decides="narrowing"),
    Key("policy", "preset", "What plugins may use: `trusted`, `default`, `strict`, or a table", decides="narrowing"),
    Key("python", "python", "The Python to run plugins with: a version, or a path"),
    Key("record-arguments", "switch", "Record the arguments of calls too"),
    Key("record-calls", "switch", "Record calls, for `logs`, `stats` and `replay`"),
    # A project can ask for more signatures than the operator does, not for fewer.
    Key("require-signed", "patterns", "Refuse what is not signed where the URL of the source fits one of these", decides="all"),
    Key("session-count", "count", "How many sessions may be open at once"),
    Key("session-idle-timeout", "seconds", "After what time without a call a session ends"),
    Key("session-lifetime", "seconds", "For how long a session may be open"),
    Key("session-memory", "size", "What the processes of a session may need"),
    Key("session-task-timeout", "seconds", "How long one call of a session may take"),
    Key("session-tasks", "count", "How many calls a session may make"),
)

#: By name, sorted.
KEYS = {key.name: key for key in _KEYS}
