"""`config`: the settings that hold here, and where each was said."""

from __future__ import annotations

from plughost.cli._printer import compact, visible
from plughost.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.settings import Place, Settings

__all__ = ["config"]


def config(context: Context, values: Values) -> int:
    from plughost.settings import KEYS

    settings = context.host().settings
    key = values.text("key")
    if key and key not in KEYS:
        from plughost.settings import did_you_mean

        raise UsageError(f"There is no setting `{key}`", reference="usage", hint=did_you_mean(key, KEYS))
    if values.flag("json"):
        records = [_record(settings, name) for name in ([key] if key else KEYS)]
        context.printer.json(records[0] if key else records)
    elif key:
        for line in _texts(_value(settings, key)):
            context.printer.line(visible(line))
    else:
        _print_table(context, settings)
    return 0


def _print_table(context: Context, settings: Settings) -> None:
    out = context.printer.out
    rows = [(record["key"], _cell(record["value"]), _origins(settings, str(record["key"]))) for record in _records(settings)]
    heads = ("KEY", "VALUE", "FROM")
    widths = [max(len(str(row[column])) for row in (heads, *rows)) for column in range(2)]
    context.printer.line(out.paint("dim", "  ".join([*map(str.ljust, heads[:2], widths), heads[2]])))
    for name, value, origins in rows:
        cells = [out.paint("bold", str(name).ljust(widths[0])), value.ljust(widths[1]), out.paint("dim", origins)]
        context.printer.line("  ".join(cells).rstrip())


def _records(settings: Settings) -> list[dict[str, object]]:
    from plughost.settings import KEYS

    return [_record(settings, name) for name in KEYS]


def _record(settings: Settings, name: str) -> dict[str, object]:
    value = _value(settings, name)
    places = settings.origins.get(name, ())
    return {
        "key": name,
        "value": list(value) if isinstance(value, tuple) else None if value == "" else value,
        "origins": [_place_record(place, name) for place in places],
    }


def _place_record(place: Place, name: str) -> dict[str, object]:
    if place.variable:
        return {"level": place.level, "variable": place.variable}
    return {"level": place.level, "path": place.path, "line": place.line(name) or None}


def _value(settings: Settings, name: str) -> object:
    from plughost.settings import KEYS

    value: object = getattr(settings, KEYS[name].attribute)
    if name == "policies" and isinstance(value, dict):
        return {plugin: _policy(policy) for plugin, policy in value.items()} or ""
    return _policy(value)


def _policy(value: object) -> object:
    """A policy's fields as the table that they were written as; anything else as it is."""
    if not isinstance(value, dict):
        return value
    from plughost.policy import table_of

    return table_of(value)


def _texts(value: object) -> list[str]:
    if isinstance(value, tuple):
        return [str(item) for item in value]
    return [str(value).lower() if isinstance(value, bool) else str(value)] if value != "" else []


def _cell(value: object) -> str:
    return "-" if value in (None, []) else visible(value if isinstance(value, str) else compact(value))


def _origins(settings: Settings, name: str) -> str:
    return ", ".join(_shown(place, name) for place in settings.origins.get(name, ())) or "default"


def _shown(place: Place, name: str) -> str:
    if place.variable:
        return place.variable
    line = place.line(name)
    return f"{place.path}:{line}" if line else place.path
