"""What a shell may offer for a word: the names of plugins and of their tools, from the store's index.

Above it: `_click`; below it: the registry. It starts no plugin.
"""

from __future__ import annotations

from plughost import registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from plughost.paths import Store

__all__ = ["variable", "words"]


def variable(program: str) -> str:
    """The environment variable by which the shell's script asks for an answer."""
    return f"_{program.replace('-', '_').replace(' ', '_').upper()}_COMPLETE"


def words(what: str, store: Store, incomplete: str, given: Mapping[str, object]) -> list[str]:
    """The words that begin with `incomplete`; `what` is `index`, `plugin`, or `tool` for `NAME[:TOOL]`."""
    if what == "index":
        from plughost.indexes import names

        return [name for name in names(store) if name.startswith(incomplete)]
    plugins = {summary.name: summary.tools for summary in registry.summaries(store)}
    if what == "plugin":
        chosen = given.get("names")
        return [name for name in plugins if name.startswith(incomplete) and not (isinstance(chosen, tuple) and name in chosen)]
    if given.get("name"):
        return _after_a_split(plugins, incomplete, given)
    name, colon, tool = incomplete.partition(":")
    if colon:
        return [f"{name}:{known}" for known in plugins.get(name, ()) if known.startswith(tool)]
    return [known for known in plugins if known.startswith(name)]


def _after_a_split(plugins: Mapping[str, tuple[str, ...]], incomplete: str, given: Mapping[str, object]) -> list[str]:
    """Bash takes `weather:fore` for three words, of which it wants the third replaced."""
    arguments = given.get("arguments")
    if incomplete == ":" and not arguments:
        incomplete = ""
    elif arguments != (":",):
        return []
    return [tool for tool in plugins.get(str(given["name"]), ()) if tool.startswith(incomplete)]
