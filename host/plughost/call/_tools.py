"""Which of a plugin's tools is meant."""

from __future__ import annotations

from plughost.errors import UnknownError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["choose_tool", "split_name", "tools_of"]


def split_name(text: str) -> tuple[str, str | None]:
    """`weather:forecast` → (`weather`, `forecast`); without a colon the tool is None."""
    plugin, colon, tool = text.partition(":")
    return plugin, tool if colon else None


def tools_of(manifest: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """The manifest's tools by name."""
    tools = manifest.get("tools")
    return {str(tool["name"]): tool for tool in tools if isinstance(tool, dict)} if isinstance(tools, list) else {}


def choose_tool(plugin: str, manifest: Mapping[str, object], name: str | None, *, in_session: bool = False) -> dict[str, object]:
    """The tool called `name`; without a name the only one there is, or the one named as the plugin.

    A hint names another tool as it is called: `in_session` without its plugin.

    Raises: UnknownError: none of that name, or several and no name; the message lists them.
    """
    tools = tools_of(manifest)
    if name is not None and name in tools:
        return tools[name]
    if not name and len(tools) == 1:
        return next(iter(tools.values()))
    from plughost._wording import listed

    listing = listed(sorted(tools))
    if name:
        raise UnknownError(
            f"`{plugin}` has no tool named `{name}`",
            reference="tool-unknown",
            causes=[f"Its tools are {listing}" if tools else "It offers hook implementations only"],
            hint=_hint(plugin, tools, name, in_session=in_session),
        )
    if not tools:
        raise UnknownError(
            f"`{plugin}` has no tools to run",
            reference="tool-unknown",
            causes=["It offers hook implementations only"],
            hint=f"`info {plugin}` shows them",
        )
    raise UnknownError(
        f"`{plugin}` has {len(tools)} tools, and none was named",
        reference="tool-ambiguous",
        causes=[f"Its tools are {listing}"],
        hint=f"`info {plugin}` shows what they do",
    )


def _hint(plugin: str, tools: Mapping[str, object], name: str, *, in_session: bool) -> str:
    if not tools:
        return f"`info {plugin}` shows what it offers"
    import difflib

    near = difflib.get_close_matches(name, tools, n=1)
    if not near:
        return f"`info {plugin}` shows what they do"
    return f"Did you mean `{near[0] if in_session else f'{plugin}:{near[0]}'}`?"
