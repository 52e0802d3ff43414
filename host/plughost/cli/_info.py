"""`info`: all that is known of one plugin, in sections."""

from __future__ import annotations

from plughost.call import type_text
from plughost.cli._printer import compact, visible
from plughost.cli._remove import size_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from plughost._info import Plugin
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.cli._terminal import Stream

__all__ = ["info"]


def info(context: Context, values: Values) -> int:
    plugin = context.host().info(values.text("name"))
    if values.flag("json"):
        context.printer.json(plugin.record())
        return 0
    for line in _page(plugin, context.printer.out):
        context.printer.line(line.rstrip())
    return 0


def _page(plugin: Plugin, out: Stream) -> Iterator[str]:
    yield f"{out.paint('bold', plugin.name)} {plugin.version}"
    if plugin.summary:
        yield visible(plugin.summary)
    yield ""
    facts = [fact for fact in _facts(plugin) if fact[1]]
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        yield f"{out.paint('dim', name.ljust(width))}  {visible(value)}"
    if plugin.tools:
        yield from _section("Tools", out)
        for tool in plugin.tools:
            yield from _tool(tool, out)
    if plugin.hooks:
        yield from _section("Hook implementations", out)
        for hook in plugin.hooks:
            yield f"  {out.paint('bold', visible(_signature(hook)))}  {out.paint('dim', visible(str(hook.get('target', ''))))}"
    if plugin.dependencies:
        yield from _section("Dependencies", out)
        yield from _columns(plugin.dependencies)
    if plugin.history:
        yield from _section("Before it", out)
        yield from _columns([(entry.version, entry.commit_id[:7], entry.added_at) for entry in plugin.history])


def _facts(plugin: Plugin) -> list[tuple[str, str]]:
    receipt = plugin.receipt
    package = receipt.package if receipt.package != plugin.name else ""
    editable = " (editable)" if plugin.editable else ""
    return [
        ("package", package),
        ("source", f"{receipt.source}{editable}"),
        ("commit", receipt.commit_id),
        ("signed by", _signer(receipt.signer)),
        ("wheel", f"{receipt.wheel}  sha256:{receipt.wheel_sha256}" if receipt.wheel else ""),
        ("lock", f"{plugin.folder / 'pylock.toml'}  sha256:{receipt.lock_sha256}"),
        ("python", f"{receipt.python_version}  {receipt.python}"),
        ("environment", str(plugin.environment)),
        ("installed by", receipt.installer),
        ("excludes newer", str(receipt.request.get("exclude_newer") or "")),
        ("size", size_text(plugin.size_bytes)),
        ("added", receipt.added_at),
    ]


def _signer(signer: Mapping[str, str]) -> str:
    return f"{signer['principal']}  {signer['kind']} {signer['fingerprint']}" if signer else ""


def _section(title: str, out: Stream) -> Iterator[str]:
    yield ""
    yield out.paint("bold", title)


def _tool(tool: Mapping[str, object], out: Stream) -> Iterator[str]:
    parameters = tool.get("parameters")
    parameters = parameters if isinstance(parameters, dict) else {}
    kind = "" if tool.get("kind") == "function" else str(tool.get("kind") or "")
    returns = tool.get("returns")
    result = f" → {type_text(returns)}" if isinstance(returns, dict) and returns else ""
    yield f"  {out.paint('bold', visible(str(tool['name'])))}{visible(result)}  {out.paint('dim', kind)}"
    for line in str(tool.get("description") or "").splitlines():
        yield f"    {visible(line)}".rstrip()
    properties = parameters.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    required = parameters.get("required")
    rows = [_parameter(name, schema, parameters, required=name in (required or ())) for name, schema in properties.items()]
    if tool.get("variadic"):
        rows.append(("*", "any number of further values", "", ""))
    if parameters.get("additionalProperties", True) is not False:
        rows.append(("**", "any further arguments", "", ""))
    for line in _columns(rows):
        yield f"    {visible(line)}"


def _parameter(name: str, schema: object, root: Mapping[str, object], *, required: bool) -> tuple[str, ...]:
    if not isinstance(schema, dict):
        return name, "anything", "required" if required else "", ""
    need = "required" if required else f"default {compact(schema['default'])}" if "default" in schema else "optional"
    return name, type_text(schema, root), need, " ".join(str(schema.get("description") or "").split())


def _signature(hook: Mapping[str, object]) -> str:
    names = hook.get("parameters")
    return f"{hook['name']}({', '.join(map(str, names)) if isinstance(names, list) else ''})"


def _columns(rows: list[tuple[str, ...]] | tuple[tuple[str, ...], ...]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(map(str.ljust, row, widths)).rstrip()
