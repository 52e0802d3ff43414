"""plughost runs other people's Python packages from your program, each in a virtual environment of its own.

    with plughost.Host() as host:
        host.add("git+https://example.org/team/weather.git@v1.2")
        host.call("weather", "forecast", city="Bern", days=3)

Importing it runs nothing and reads nothing; each name is loaded when it is first used.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost._attach import PluginNotAttached
    from plughost._consent import Permissions
    from plughost._gc import Collected
    from plughost._info import Plugin
    from plughost._repair import Repaired
    from plughost._request import Added, Progress
    from plughost.bundle import Exported
    from plughost.call import Event, LogEvent, Outcome, OutputEvent, ProgressEvent
    from plughost.errors import (
        AuditError,
        BuildError,
        BundleError,
        CallCancelled,
        CallTimeout,
        ContractError,
        DescribeError,
        GrantNeeded,
        InstallError,
        LimitExceeded,
        PlughostError,
        PluginCrashed,
        PluginDisabled,
        PluginError,
        ResolveError,
        SandboxError,
        SessionEnded,
        SessionError,
        SourceError,
        StoreError,
        UnknownError,
        UsageError,
        VenvError,
    )
    from plughost.health import Fault
    from plughost.host import Host
    from plughost.policy import Policy
    from plughost.registry import PluginSummary, Removed
    from plughost.session import Session
    from plughost.sets import LockResult, Synced
    from plughost.settings import Settings
    from plughost.trust import Audit, Finding

__all__ = [
    "Added",
    "Audit",
    "AuditError",
    "BuildError",
    "BundleError",
    "CallCancelled",
    "CallTimeout",
    "Collected",
    "ContractError",
    "DescribeError",
    "Event",
    "Exported",
    "Fault",
    "Finding",
    "GrantNeeded",
    "Host",
    "InstallError",
    "LimitExceeded",
    "LockResult",
    "LogEvent",
    "Outcome",
    "OutputEvent",
    "Permissions",
    "PlughostError",
    "Plugin",
    "PluginCrashed",
    "PluginDisabled",
    "PluginError",
    "PluginNotAttached",
    "PluginSummary",
    "Policy",
    "Progress",
    "ProgressEvent",
    "Removed",
    "Repaired",
    "ResolveError",
    "SandboxError",
    "Session",
    "SessionEnded",
    "SessionError",
    "Settings",
    "SourceError",
    "StoreError",
    "Synced",
    "UnknownError",
    "UsageError",
    "VenvError",
    "__version__",
]

__version__ = "0.1.0"

_OTHER_ERRORS = {
    "CallCancelled",
    "CallTimeout",
    "GrantNeeded",
    "LimitExceeded",
    "PluginCrashed",
    "PluginDisabled",
    "SessionEnded",
}
_ERRORS = tuple(name for name in __all__ if name.endswith("Error") or name in _OTHER_ERRORS)

__getattr__ = lazily(
    __name__,
    {
        "_attach": ("PluginNotAttached",),
        "_consent": ("Permissions",),
        "_gc": ("Collected",),
        "_info": ("Plugin",),
        "_repair": ("Repaired",),
        "_request": ("Added", "Progress"),
        "bundle": ("Exported",),
        "call": ("Event", "LogEvent", "Outcome", "OutputEvent", "ProgressEvent"),
        "errors": _ERRORS,
        "health": ("Fault",),
        "host": ("Host",),
        "policy": ("Policy",),
        "registry": ("PluginSummary", "Removed"),
        "sets": ("LockResult", "Synced"),
        "session": ("Session",),
        "settings": ("Settings",),
        "trust": ("Audit", "Finding"),
    },
)
