"""Which differences between two manifests callers would notice."""

from __future__ import annotations

import pytest

from plughost.contract import changes

Record = dict[str, object]
TEXT, NUMBER, WHOLE = {"type": "string"}, {"anyOf": [{"type": "number"}, {"enum": ["NaN"]}]}, {"type": "integer"}


def tool(*, name: str = "work", required: tuple[str, ...] = (), kind: str = "function", **properties: Record) -> Record:
    parameters = {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
    return {"name": name, "kind": kind, "parameters": parameters, "positional": list(properties), "variadic": False}


def hook(**changed: object) -> Record:
    plain = {"name": "score", "function": "score", "entry_point": "alpha", "parameters": ["text"], "optional": [], "options": {}}
    return {**plain, "kind": "function", "target": "alpha:score", **changed}


def told(before: Record, after: Record) -> list[tuple[str, bool]]:
    return [
        (change.message, change.breaking) for change in changes({"tools": [before], "hooks": []}, {"tools": [after], "hooks": []})
    ]


def is_taken(before: Record, after: Record) -> bool:
    """Whether a parameter may change so."""
    return not any(breaking for _, breaking in told(tool(x=before), tool(x=after)))


@pytest.mark.parametrize(
    ("before", "after", "message", "breaking"),
    [
        (tool(), tool(days=WHOLE), "`work` has a new parameter `days`", False),
        (tool(), tool(days=WHOLE, required=("days",)), "`work` has a new parameter `days`, which it demands", True),
        (tool(days=WHOLE), tool(), "`work` no longer has the parameter `days`", True),
        (tool(days=WHOLE), tool(days=WHOLE, required=("days",)), "`work` now demands `days`, which was optional", True),
        (tool(days=WHOLE, required=("days",)), tool(days=WHOLE), "`work` takes more for `days`", False),
        (tool(days=NUMBER), tool(days=WHOLE), "`work` no longer takes all the values for `days` that it took", True),
        (tool(a=TEXT, b=TEXT), tool(b=TEXT, a=TEXT), "`work` takes its arguments in another order", True),
        (tool(), tool(kind="generator"), "`work` gives its result as a stream", True),
        (tool() | {"variadic": True}, tool(), "`work` no longer takes any number of arguments", True),
        (tool() | {"returns": TEXT}, tool() | {"returns": WHOLE}, "`work` gives a result of another type", True),
        (tool() | {"returns": NUMBER}, tool() | {"returns": WHOLE}, "`work` gives a result of another type", False),
    ],
)
def test_each_change_of_a_tool_is_told(before: Record, after: Record, message: str, breaking: bool) -> None:  # noqa: FBT001
    assert told(before, after) == [(message, breaking)]


def test_what_is_only_for_people_is_no_change() -> None:
    described = TEXT | {"description": "The city", "default": "Bern", "title": "City"}
    assert told(tool(city=TEXT) | {"description": "old"}, tool(city=described) | {"description": "new"}) == []
    assert told(tool(kind="coroutine"), tool()) == []


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (WHOLE, NUMBER),
        (TEXT, {}),
        (TEXT, {"type": ["string", "null"]}),
        (TEXT, {"anyOf": [TEXT, {"type": "null"}]}),
        ({"enum": ["a"]}, {"enum": ["a", "b"]}),
        ({"enum": ["a"]}, TEXT),
        ({"const": 1}, WHOLE),
        (WHOLE | {"minimum": 2}, WHOLE | {"minimum": 1}),
        (TEXT | {"maxLength": 3}, TEXT | {"maxLength": 4}),
        (TEXT | {"format": "date"}, TEXT),
        ({"type": "array", "items": WHOLE}, {"type": "array", "items": NUMBER}),
        ({"type": "array", "items": WHOLE}, {"type": "array"}),
        ({"type": "object", "additionalProperties": WHOLE}, {"type": "object"}),
        ({"type": "object", "properties": {"a": WHOLE}, "required": ["a"]}, {"type": "object", "properties": {"a": WHOLE}}),
    ],
)
def test_a_parameter_may_take_more_but_not_less(narrow: Record, wide: Record) -> None:
    assert is_taken(narrow, wide)
    assert is_taken(wide, wide)
    assert not is_taken(wide, narrow)


def test_a_record_that_holds_itself_is_compared_to_the_end() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}, "additionalProperties": False}
    one = tool(x={"$ref": "#/$defs/Node"})
    one["parameters"]["$defs"] = {"Node": node}
    assert told(one, one) == []


def test_tools_and_hook_implementations_come_and_go() -> None:
    before = {"tools": [tool(name="a")], "hooks": [hook()]}
    after = {"tools": [tool(name="b")], "hooks": [hook(function="other", name="ask")]}
    assert [(change.kind, change.where, change.breaking) for change in changes(before, after)] == [
        ("removed", "a", True),
        ("removed", "hook score", True),
        ("added", "b", False),
        ("added", "hook ask", False),
    ]
    assert changes(before, before) == []
    (change,) = changes(before, {"tools": [tool(name="a")], "hooks": [hook(parameters=["text", "mood"])]})
    assert change.record() == {
        "kind": "changed",
        "where": "hook score",
        "message": "the implementation of the hook `score` is another",
        "breaking": True,
    }
