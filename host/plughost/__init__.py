"""plughost runs other people's Python packages from your program, each in a virtual environment of its own.

    with plughost.Host() as host:
        host.add("git+https://example.org/team/weather.git@v1.2")
        host.call("weather", "forecast", city="Bern", days=3)

Importing it runs nothing and reads nothing; each name is loaded when it is first used.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost._add import Added, Progress
    from plughost._info import Plugin
    from plughost.call import Outcome
    from plughost.errors import (
        BuildError,
        CallTimeout,
        DescribeError,
        InstallError,
        PluginCrashed,
        PluginError,
        PlughostError,
        ResolveError,
        SourceError,
        StoreError,
        UnknownError,
        UsageError,
        VenvError,
    )
    from plughost.host import Host
    from plughost.registry import PluginSummary, Removed

__all__ = [
    "Added",
    "BuildError",
    "CallTimeout",
    "DescribeError",
    "Host",
    "InstallError",
    "Outcome",
    "Plugin",
    "PluginCrashed",
    "PluginError",
    "PluginSummary",
    "PlughostError",
    "Progress",
    "Removed",
    "ResolveError",
    "SourceError",
    "StoreError",
    "UnknownError",
    "UsageError",
    "VenvError",
    "__version__",
]

__version__ = "0.1.0"

_HOMES = {
    "Added": "_add",
    "Host": "host",
    "Outcome": "call",
    "Plugin": "_info",
    "PluginSummary": "registry",
    "Progress": "_add",
    "Removed": "registry",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
