"""Which differences between two manifests callers would notice."""

from __future__ import annotations

import itertools
import sys
import types

import pytest

from plughost.contract import changes
from plughost.runner import _describe

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


CODE = """
import enum
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import *
@dataclass
class Town:
    name: str
@dataclass
class City:
    name: str
    country: str = "CH"
@dataclass
class Numbered:
    name: int
class Row(TypedDict):
    a: int
class Longer(Row, total=False):
    b: int
class Fuller(Row):
    b: int
def work({parameters}){result}: ...
"""
numbers = itertools.count()


def described(signature: str) -> Record:
    """The manifest of a tool with that signature, `PARAMETERS` or `PARAMETERS -> RESULT`."""
    module = types.ModuleType(f"described_{next(numbers)}")
    sys.modules[module.__name__] = module
    parameters, _, result = signature.partition("->")
    exec(CODE.format(parameters=parameters, result=result and f" -> {result}"), vars(module))
    return _describe.describe("plughost", {"work": f"{module.__name__}:work"})


KEPT = """
a | a, b=1
*, a | a
a, / | a
a | a, *rest
a, *rest | a, *rest, b=1
a, *, b | a, **others
**others: int | **others: float
a: int | a: Optional[int]
a: int = None | a: Optional[int] = None
a: Literal["x", "y"] | a: Literal["x", "y", "z"]
a: Literal["x", 1] | a: Union[str, int]
a: Literal["x", None] | a: Optional[Literal["x"]]
a: Optional[Literal["x"]] | a: Literal["x", None]
a: str | a: Path
a: int | a: Decimal
a: List[int] | a: Set[int]
a: Tuple[int, int] | a: Tuple[float, float]
a: Tuple[int, int] | a: List[int]
a: Town | a: City
a: List[Town] | a: List[City]
a: Row | a: Longer
a: Row | a: dict
-> float | -> int
-> Optional[int] | -> int
-> str | -> Literal["x"]
-> Town | -> City
-> Row | -> Fuller
"""

BROKEN = """
a | a, b
a | *, a
a, b | a, new=1, b=2
a, *rest | a, b=1, *rest
a, b | a, *rest
a, b | a, **others
a, *, b: str | a, **others: int
a, **others | a
**others | **others: int
**others: int | **others: str
a: Optional[int] | a: int
a: Literal["x", "y"] | a: Literal["x"]
a | a: int
a: list | a: List[int]
a: Tuple[int, int] | a: Tuple[int, int, int]
a: City | a: Town
a: List[City] | a: List[Town]
a: Town | a: Numbered
a: List[Town] | a: List[Numbered]
a: Row | a: Fuller
a: Longer | a: Fuller
a: dict | a: Longer
a: Dict[str, str] | a: Longer
-> int | -> Optional[int]
-> str | -> Path
-> Path | -> str
-> str | -> date
-> List[int] | -> Set[int]
-> City | -> Town
-> List[Town] | -> List[Numbered]
-> Fuller | -> Longer
-> Fuller | -> Row
"""


@pytest.mark.parametrize(
    ("pair", "breaking"),
    [*((pair, False) for pair in KEPT.strip().splitlines()), *((pair, True) for pair in BROKEN.strip().splitlines())],
)
def test_a_change_is_breaking_where_a_call_that_was_right_may_fail(pair: str, breaking: bool) -> None:  # noqa: FBT001
    before, after = map(described, pair.split(" | "))
    assert any(change.breaking for change in changes(before, after)) == breaking
    assert changes(before, before) == changes(after, after) == []


def test_a_field_that_a_record_gains_is_told() -> None:
    (change,) = changes(described("a: Town"), described("a: City"))
    assert (change.message, change.breaking) == ("`work` takes more for `a`", False)
    (change,) = changes(described("-> Town"), described("-> City"))
    assert (change.message, change.breaking) == ("`work` gives a result of another type", False)


def test_another_default_is_told_and_breaks_no_call() -> None:
    (change,) = changes(described("days=1"), described("days=7"))
    assert change.message == "`work` takes `7` for `days` where nothing is given, and took `1`"
    assert not change.breaking


def test_records_that_hold_themselves_in_many_ways_are_compared_at_once() -> None:
    def tree(**more: Record) -> Record:
        one = tool(x={"$ref": "#/$defs/Node"})
        inside = {f"child_{number}": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]} for number in range(8)}
        node = {"type": "object", "properties": {**inside, **more}, "additionalProperties": False}
        one["parameters"]["$defs"] = {"Node": node}
        return one

    assert told(tree(), tree(tag=TEXT)) == [("`work` takes more for `x`", False)]
    assert told(tree(tag=TEXT), tree(tag=WHOLE)) == [("`work` no longer takes all the values for `x` that it took", True)]


def test_bounds_that_are_no_numbers_are_compared_too() -> None:
    after_2020, after_2021 = TEXT | {"minimum": "2020-01-01"}, TEXT | {"minimum": "2021-01-01"}
    assert is_taken(after_2020, after_2020)
    assert not is_taken(after_2020, after_2021)
    assert not is_taken(TEXT, after_2021)


def test_definitions_of_a_library_stand_within_its_own() -> None:
    def model(city: Record) -> Record:
        one = tool(x={"$ref": "#/$defs/Trip"})
        to = {"type": "object", "properties": {"to": {"$ref": "#/$defs/Trip/$defs/City"}}, "$defs": {"City": city}}
        one["parameters"]["$defs"] = {"Trip": to}
        return one

    assert told(model(TEXT), model(WHOLE)) == [("`work` no longer takes all the values for `x` that it took", True)]


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
