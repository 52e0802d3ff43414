"""`policy show`, `policy set`, `policy reset`: what plugins may use, who decides that, and what they are granted."""

from __future__ import annotations

import os

from plughost import registry
from plughost._policies import unpack_grant
from plughost.cli._each import for_each
from plughost.cli._printer import home_as_tilde, visible
from plughost.errors import UsageError
from plughost.settings import user_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from plughost.cli._context import Context
    from plughost.cli._declaration import Values
    from plughost.cli._printer import Printer
    from plughost.host import Host
    from plughost.policy import Policy
    from plughost.registry import Installed

__all__ = ["reset", "set_", "show"]

_WHO = {
    "default": "",
    "grant": "granted",
    "operator": "the settings",
    "project": "the project's file",
    "app": "the app",
    "caller": "the caller",
}


def show(context: Context, values: Values) -> int:
    with context.host() as host:
        name = values.text("name")
        installed = registry.find(host.store, name) if name else None
        record = _record(host, installed)
    if values.flag("json"):
        context.printer.json(record)
    else:
        for line in _page(record, context.printer):
            context.printer.line(line.rstrip())
    return 0


def set_(context: Context, values: Values) -> int:
    from plughost.cli._limits import more_of, said_of
    from plughost.policy import DEFAULT, widened

    name, word = values.text("name"), values.text("grant")
    said, more = said_of(values, values.texts("changes")), more_of(values, os.getcwd())
    if bool(word) + bool(said or more) != 1:
        raise UsageError(
            f"Nothing is said of what `{name}` is granted" if not word else "`--grant` is all that can be said, and more is",
            reference="usage",
            hint=f"`policy set {name} --allow-net api.example.com`, `policy set {name} memory=1GiB`",
        )
    with context.host() as host:
        installed = registry.find(host.store, name)
        before = unpack_grant(installed.state.grant) or {}
        granted = {**before, **said}
        granted |= widened(DEFAULT.replace(**granted), more)
        host.grant(installed.name, word or granted)
        record = _record(host, registry.find(host.store, name))
    if values.flag("json"):
        context.printer.json(record)
    elif not context.printer.quiet:
        out = context.printer.out
        context.printer.line(f"{out.highlight(f'`{installed.name}`')} is granted {_granted(record['granted'])}")
    return 0


def reset(context: Context, values: Values) -> int:
    out = context.printer.out
    with context.host() as host:

        def reset_one(name: str) -> bool:
            return host.grant(name, None)

        return for_each(
            values.texts("names"),
            reset_one,
            record=lambda name, changed: {"name": registry.normalize_name(name), "changed": changed},
            tell=lambda name, _changed: context.printer.message(f"{out.highlight(f'`{name}`')} is granted nothing of its own"),
            printer=context.printer,
            as_json=values.flag("json"),
        )


def _record(host: Host, installed: Installed | None) -> dict[str, object]:
    """What holds for a plugin, or for one that nobody has granted anything, as plain JSON values."""
    from plughost.policy import KEYS, table_of, written

    grant = unpack_grant(installed.state.grant) if installed else None
    words = host.policies.words_on(installed.name if installed else "", grant)
    policy, who = words.effective(), words.deciders()
    table = written(policy.as_record())
    return {
        "name": installed.name if installed else None,
        "preset": _preset(policy),
        "policy": [{"key": key, "value": table[key], "decided_by": who[field]} for key, field in KEYS.items()],
        "granted": None if grant is None else table_of(grant),
        "asks_for": installed.manifest.get("permissions") if installed else None,
        "lacking": _lacking(policy, installed),
        "not_given": _keys_of_more(policy, words.project or {}),
        "unenforceable": _unenforceable(host, policy),
    }


def _preset(policy: Policy) -> str | None:
    from plughost.policy import PRESETS

    return next((name for name, preset in PRESETS.items() if preset == policy), None)


def _lacking(policy: Policy, installed: Installed | None) -> list[str]:
    """The keys of what the plugin asks for and may not use."""
    from plughost._consent import asked_by

    return _keys_of_more(policy, asked_by(installed.manifest) if installed else {})


def _keys_of_more(policy: Policy, terms: Mapping[str, object]) -> list[str]:
    """The keys of the terms that are more than the policy has."""
    from plughost.policy import KEYS, exceeding

    more = exceeding(policy.replace(**terms), policy)
    return [key for key, field in KEYS.items() if field in more]


def _unenforceable(host: Host, policy: Policy) -> list[dict[str, object]]:
    from plughost.sandbox import known_machine, unenforceable

    waived = host.policies.waived
    return [
        {"name": missing.name, "what": missing.what, "why": missing.why, "how": missing.how, "waived": missing.name in waived}
        for missing in unenforceable(policy, known_machine(host.store.machine))
    ]


def _page(record: Mapping[str, object], printer: Printer) -> Iterator[str]:
    out = printer.out
    name = record["name"] or "A plugin that nobody has granted anything"
    yield f"{out.paint('bold', str(name))}  {record['preset'] or ''}"
    yield ""
    rows = [(str(row["key"]), visible(_shown(row["value"])), _WHO[str(row["decided_by"])]) for row in _rows(record["policy"])]
    rows = [(key, home_as_tilde(value), who) for key, value, who in rows]  # as it will be printed, which says how wide it is
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for key, value, who in rows:
        yield f"{out.paint('dim', key.ljust(widths[0]))}  {value.ljust(widths[1])}  {out.paint('dim', who)}"
    if lacking := record["lacking"]:
        yield ""
        asked = record["asks_for"]
        assert isinstance(asked, dict)
        assert isinstance(lacking, list)
        yield "It asks for more:"
        for key in lacking:
            yield f"  {key}: {visible(_shown(asked.get(key, asked)))}"
        yield out.highlight(printer.typed(f"`policy set {record['name']} --grant all` grants that"))
    if not_given := record["not_given"]:
        assert isinstance(not_given, list)
        yield ""
        yield f"The project's file says more of {', '.join(not_given)}; it takes away, and gives nothing"
        yield out.highlight(f"The user's own gives: `{user_file(os.environ)}`")
    for missing in _rows(record["unenforceable"]):
        yield ""
        yield f"{out.paint('yellow', str(missing['name']))} can't be enforced here: {missing['why']}"
        yield f"It takes {missing['how']}" if not missing["waived"] else "It may go unenforced, the settings say"


def _granted(table: object) -> str:
    assert isinstance(table, dict)
    return ", ".join(f"{key} {visible(_shown(value))}" for key, value in table.items()) or "nothing of its own"


def _shown(value: object) -> str:
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)


def _rows(value: object) -> list[Mapping[str, object]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
