"""The app: its PluginManager, and one call of its hook."""

import pluggy

import plughost

from ${module} import hookspecs

hookimpl = pluggy.HookimplMarker("${module}")


class Alphabetical:
    """A local plugin: it runs in the app's own process."""

    @hookimpl
    def rank(self, versions):
        return {"by": "alphabetical", "order": sorted(versions)}


def make_manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager("${module}")
    manager.add_hookspecs(hookspecs)
    manager.register(Alphabetical(), name="alphabetical")
    return manager


def rankings(versions: list[str]) -> list[dict[str, object]]:
    """What every plugin says, the isolated ones at the same time. One that fails answers with its error."""
    manager = make_manager()
    with plughost.Host("${module}") as host:
        host.attach(manager, timeout_s=30)
        answers = host.call_hook(manager, "rank", versions=versions)
    return sorted(answers, key=lambda answer: str(answer["by"]))
