"""`info`: all that is known of one plugin, in sections."""

from __future__ import annotations

from plughost import registry
from plughost._values import mapping, tables, texts
from plughost.call import type_text
from plughost.cli._grants import granted_text
from plughost.cli._layout import columns, size_text
from plughost.cli._printer import compact, visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.cli._terminal import Stream

__all__ = ["info"]


def info(context: Context, values: Values) -> int:
    store = context.paths()
    installed = registry.find(store, values.text("name"))
    record: Mapping[str, object] | None = registry.kept_record(store, installed)
    if record is None:
        from plughost._info import read_plugin

        record = read_plugin(installed).record()
        registry.keep_record(store, installed, record)
    if values.flag("json"):
        context.printer.json(record)
    else:
        context.printer.line("\n".join(line.rstrip() for line in _page(record, context.printer.out)))
    return 0


def _page(plugin: Mapping[str, object], out: Stream) -> Iterator[str]:
    yield f"{out.paint('bold', str(plugin['name']))} {plugin['version']}"
    if plugin["summary"]:
        yield visible(str(plugin["summary"]))
    yield ""
    facts = [fact for fact in _facts(plugin) if fact[1]]
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        yield f"{out.paint('dim', name.ljust(width))}  {visible(value)}"
    if tools := tables(plugin["tools"]):
        yield from _section("Tools", out)
        for tool in tools:
            yield from _tool(tool, out)
    if hooks := tables(plugin["hooks"]):
        yield from _section("Hook implementations", out)
        for hook in hooks:
            yield f"  {out.paint('bold', visible(_signature(hook)))}  {out.paint('dim', visible(str(hook.get('target', ''))))}"
    if dependencies := tables(plugin["dependencies"]):
        yield from _section("Dependencies", out)
        yield from _indented([(str(one["name"]), str(one["version"])) for one in dependencies])
    kept = [version for version in tables(plugin["kept"]) if version["revision"] != plugin["revision"]]
    if kept:
        yield from _section("Kept, for a rollback or for a call of NAME@VERSION", out)
        yield from _indented([(str(one["version"]), str(one["commit"])) for one in kept])
    if history := tables(plugin["history"]):
        yield from _section("Before it", out)
        yield from _indented([(str(one["version"]), str(one["commit_id"])[:7], str(one["added_at"])) for one in history])


def _facts(plugin: Mapping[str, object]) -> list[tuple[str, str]]:
    wheel, lock, python = (mapping(plugin[key]) for key in ("wheel", "lock", "python"))
    signer, request = mapping(plugin["signer"]), mapping(plugin["request"])
    package = str(plugin["package"]) if plugin["package"] != plugin["name"] else ""
    editable = " (editable)" if plugin["editable"] else ""
    size = plugin["size_bytes"]
    marks = [word for word in ("disabled", "pinned") if plugin[word]]
    return [
        ("state", ", ".join(marks)),
        ("package", package),
        ("source", f"{plugin['source']}{editable}"),
        ("commit", str(plugin["commit_id"] or "")),
        ("signed by", f"{signer['principal']}  {signer['kind']} {signer['fingerprint']}" if signer else ""),
        ("wheel", f"{wheel['filename']}  sha256:{wheel['sha256']}" if wheel else ""),
        ("lock", f"{lock['path']}  sha256:{lock['sha256']}"),
        ("python", f"{python['version']}  {python['executable']}"),
        ("environment", str(plugin["environment"])),
        ("isolation", _isolation(plugin)),
        ("concurrency", f"{plugin['concurrency']} calls at once in one process" if plugin.get("concurrency", 1) != 1 else ""),
        ("asks for", granted_text(plugin.get("permissions"))),
        ("granted", granted_text(plugin.get("grant"))),
        ("unenforced", ", ".join(map(str, unenforced)) if isinstance(unenforced := plugin.get("unenforced"), list) else ""),
        ("installed by", str(plugin["installer"])),
        ("excludes newer", str(request.get("exclude_newer") or "")),
        ("size", size_text(size) if isinstance(size, int) else ""),
        ("added", str(plugin["added_at"])),
    ]


def _isolation(plugin: Mapping[str, object]) -> str:
    if plugin.get("isolation") != "call":
        return ""
    fork = plugin.get("fork")
    return f"a new worker for each call; fork is {fork}" if fork else "a fresh process for each call"


def _section(title: str, out: Stream) -> Iterator[str]:
    yield ""
    yield out.paint("bold", title)


def _tool(tool: Mapping[str, object], out: Stream) -> Iterator[str]:
    parameters = mapping(tool.get("parameters"))
    kind = "" if tool.get("kind") == "function" else str(tool.get("kind") or "")
    returns = tool.get("returns")
    result = f" → {type_text(returns)}" if isinstance(returns, dict) and returns else ""
    yield f"  {out.paint('bold', visible(str(tool['name'])))}{visible(result)}  {out.paint('dim', kind)}"
    for line in str(tool.get("description") or "").splitlines():
        yield f"    {visible(line)}".rstrip()
    properties = mapping(parameters.get("properties"))
    required = texts(parameters.get("required"))
    rows = [_parameter(name, schema, parameters, required=name in required) for name, schema in properties.items()]
    if tool.get("variadic"):
        rows.append(("*", "any number of further values", "", ""))
    if parameters.get("additionalProperties", True) is not False:
        rows.append(("**", "any further arguments", "", ""))
    for line in columns(rows):
        yield f"      {visible(line)}"


def _parameter(name: str, schema: object, root: Mapping[str, object], *, required: bool) -> tuple[str, ...]:
    if not isinstance(schema, dict):
        return name, "anything", "required" if required else "", ""
    need = "required" if required else f"default {compact(schema['default'])}" if "default" in schema else "optional"
    return name, type_text(schema, root), need, " ".join(str(schema.get("description") or "").split())


def _signature(hook: Mapping[str, object]) -> str:
    names = hook.get("parameters")
    return f"{hook['name']}({', '.join(map(str, names)) if isinstance(names, list) else ''})"


def _indented(rows: list[tuple[str, ...]]) -> Iterator[str]:
    return (f"  {line}" for line in columns(rows))
