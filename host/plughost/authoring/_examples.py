"""Examples of calls: written in docstrings, or listed in `plughost-examples.toml`.

Above it: the trial of them; below it: the text of a manifest, and one file. In a docstring these count:

- `>>> forecast("Bern", days=2)`, continued on lines with `...`: an expression that calls the tool, by its name or the
  function's, with plain values, and takes a part of the result with `[…]` if it wants to. What follows, up to the next `>>>` or
  empty line, is the value, or a traceback. Where nothing follows, the call must not fail.
- In a section `Example:` or `Examples:` also a line `forecast("Bern") == 3`, or with `->` or `→` in place of `==`.

Lines with `# doctest: +SKIP` are left out.
"""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass, field

from plughost._wording import listed
from plughost.authoring._findings import Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["EXAMPLES_FILE", "Example", "Expected", "from_docstring", "from_file"]

EXAMPLES_FILE = "plughost-examples.toml"

_KEYS = {"tool", "args", "kwargs", "result", "raises", "matches"}
_SECTION = re.compile(r"examples?\s*:?\s*$", re.IGNORECASE)
_ARROW = re.compile(r"\s(?:->|→|==)\s")
_RAISED = re.compile(r"(?:[\w.]*\.)?(\w+)(?::\s?(.*))?$", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What must come of a call: a `value` (if `has_value`), its `text` as `repr` writes it, an error; or merely no error.

    `text` may have `...` for anything. `matches` is a regular expression, found in the message of the error, or in the result.
    """

    has_value: bool = False
    value: object = None
    text: str = ""
    raises: str = ""
    message: str = ""
    matches: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """`parts` are the keys by which a part of the result is taken; `shown` is how it was written."""

    tool: str
    shown: str
    args: tuple[object, ...] = ()
    kwargs: Mapping[str, object] = field(default_factory=dict)
    parts: tuple[object, ...] = ()
    expected: Expected


def from_docstring(tool: Mapping[str, object]) -> Iterator[Example | Finding]:
    """The examples in a tool's docstring, as its manifest has it, and what looks like one and is none."""
    name = str(tool["name"])
    names = {name, re.split(r"[:.#]", str(tool.get("target", "")))[-1]}
    lines = str(tool.get("description") or "").splitlines()
    seen = counted = 0
    for source, wanted in _written(lines):
        if "doctest: +SKIP" in source:
            continue
        seen += 1
        try:
            example = _example(name, names, source, wanted)
        except SyntaxError as error:
            counted += 1
            yield Finding(reference="example-invalid", where=name, message=f"`{source}` is no Python: {error.msg}")
            continue
        if example is not None:
            counted += 1
            yield example
    if seen and not counted:
        yield Finding(reference="example-skipped", where=name, message="None of the examples in its docstring can be tried")


def from_file(path: Path) -> Iterator[Example | Finding]:
    """The examples in a `plughost-examples.toml`; none where there is no such file."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        yield Finding(reference="example-invalid", where=path.name, message=f"It can't be read: {error}")
        return
    entries = document.get("examples", [])
    for number, entry in enumerate(entries if isinstance(entries, list) else [None]):
        where = f"{path.name}: examples[{number}]"
        if fault := _fault(entry):
            yield Finding(reference="example-invalid", where=where, message=fault)
            continue
        args, kwargs = entry.get("args", []), entry.get("kwargs", {})
        given = [*(repr(value) for value in args), *(f"{key}={value!r}" for key, value in kwargs.items())]
        expected = Expected(
            has_value="result" in entry,
            value=entry.get("result"),
            raises=entry.get("raises", ""),
            matches=entry.get("matches", ""),
        )
        shown = f"{entry['tool']}({', '.join(given)})"
        yield Example(tool=entry["tool"], shown=shown, args=tuple(args), kwargs=kwargs, expected=expected)


def _fault(entry: object) -> str:
    """What is wrong with an entry; empty if nothing is."""
    if not isinstance(entry, dict):
        return "It is no table: write `[[examples]]`"
    if unknown := sorted(set(entry) - _KEYS):
        return f"It has no key `{unknown[0]}`; there are {listed(sorted(_KEYS))}"
    for key, kind, word in (
        ("tool", str, "a text"),
        ("args", list, "an array"),
        ("kwargs", dict, "a table"),
        ("raises", str, "a text"),
        ("matches", str, "a text"),
    ):
        if (key in entry or key == "tool") and not isinstance(entry.get(key), kind):
            return f"`{key}` must be {word}"
    if "result" in entry and ("raises" in entry or "matches" in entry):
        return "It has `result`, and `raises` or `matches` too"
    try:
        re.compile(entry.get("matches", ""))
    except re.error as error:
        return f"`matches` is no regular expression: {error}"
    return ""


def _written(lines: list[str]) -> Iterator[tuple[str, str | None]]:
    """Each example as the source of a call, and what is to come of it; None where nothing is said."""
    in_section = False
    position = 0
    while position < len(lines):
        line = lines[position].strip()
        position += 1
        if line.startswith(">>>"):
            source = [line[3:].strip()]
            while position < len(lines) and lines[position].strip().startswith("..."):
                source.append(lines[position].strip()[3:])
                position += 1
            wanted = []
            while position < len(lines) and (text := lines[position].strip()) and not text.startswith(">>>"):
                wanted.append(text)
                position += 1
            yield "\n".join(source), "\n".join(wanted) or None
        elif in_section and _ARROW.search(line):
            source_text, wanted_text = _ARROW.split(line, maxsplit=1)
            yield source_text, wanted_text
        elif line and not line.startswith("---"):
            in_section = bool(_SECTION.match(line)) or (in_section and lines[position - 1][:1].isspace())


def _example(tool: str, names: set[str], source: str, wanted: str | None) -> Example | None:
    """None where it is something else than a call of the tool with plain values.

    Raises: SyntaxError: it is no Python.
    """
    body = ast.parse(source).body
    if len(body) != 1 or not isinstance(body[0], ast.Expr):
        return None
    node = body[0].value
    parts: list[object] = []
    try:
        while isinstance(node, ast.Subscript):
            parts.insert(0, ast.literal_eval(node.slice))
            node = node.value
        if not isinstance(node, ast.Call) or ast.unparse(node.func).rpartition(".")[2] not in names:
            return None
        args = tuple(ast.literal_eval(item) for item in node.args)
        kwargs = {str(item.arg): ast.literal_eval(item.value) for item in node.keywords if item.arg is not None}
    except ValueError:  # not plain
        return None
    if len(kwargs) != len(node.keywords):
        return None
    shown = source.partition("  #")[0].strip()
    return Example(tool=tool, shown=shown, args=args, kwargs=kwargs, parts=tuple(parts), expected=_expected(wanted))


def _expected(wanted: str | None) -> Expected:
    if wanted is None:
        return Expected()
    lines = wanted.splitlines()
    if lines[0].startswith("Traceback (most recent call last)"):
        raised = _RAISED.match(lines[-1])
        return Expected(raises=raised[1] if raised else "Exception", message=(raised[2] or "") if raised else "")
    try:
        return Expected(has_value=True, value=ast.literal_eval(wanted), text=wanted)
    except (ValueError, SyntaxError):
        return Expected(text=wanted)
