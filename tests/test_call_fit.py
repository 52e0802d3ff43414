"""Arguments that are let through without a closer look: never one that a closer look would refuse."""

from __future__ import annotations

import pytest

from plughost.call._arguments import check
from plughost.call._fit import Fit
from plughost.errors import UsageError

STRING, INTEGER, NULL = {"type": "string"}, {"type": "integer"}, {"type": "null"}
NUMBER = {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}
BYTES = {"type": "string", "contentEncoding": "base64"}
TEXTS = {"type": "array", "items": STRING}
COUNTS = {"type": "object", "additionalProperties": INTEGER}
SCHEMAS = [
    True,
    {},
    {"title": "Anything", "default": 1},
    STRING,
    INTEGER,
    NUMBER,
    NULL,
    BYTES,
    TEXTS,
    COUNTS,
    {"type": "boolean"},
    {"type": ["integer", "null"]},
    {"type": "string", "format": "date"},
    {"type": "string", "minLength": 4},
    {"type": "integer", "maximum": 1},
    {"type": "array"},
    {"type": "array", "items": TEXTS},
    {"type": "array", "items": {"type": "integer", "minimum": 2}},
    {"type": "array", "items": STRING, "uniqueItems": True},
    {"type": "array", "items": False},
    {"type": "object"},
    {"type": "object", "additionalProperties": True},
    {"type": "object", "additionalProperties": TEXTS},
    {"type": "object", "properties": {"a": INTEGER}, "required": ["a"]},
    {"anyOf": [INTEGER, NULL]},
    {"anyOf": [TEXTS, COUNTS, NULL]},
    {"anyOf": [STRING, {}]},
    {"anyOf": [STRING], "not": {"const": "a"}},
    {"oneOf": [STRING, NUMBER]},
    {"enum": ["a", 1]},
    {"const": None},
    {"$ref": "#/$defs/Named"},
    False,
]
VALUES = [
    *(None, True, 0, 1, 1.5, float("nan"), "", "a", "2026-01-01", b"a", bytearray(b"a")),
    *([], ["a"], ["a", "b"], ["a", 1], [1], [True], [["a"]], [b"a"], [None], ("a",)),
    *({}, {"a": 1}, {"a": True}, {"a": "b"}, {"a": ["b"]}, {1: 1}, {"a": {"b": None}}),
]


def tool(*, additional=False, required=(), positional=None, **properties):
    schema = {"type": "object", "properties": properties, "required": list(required), "additionalProperties": additional}
    schema["$defs"] = {"Named": {"type": "string"}}
    return {"name": "forecast", "positional": list(properties) if positional is None else positional, "parameters": schema}


def is_refused(offered, args, kwargs):
    try:
        check("weather", offered, args, kwargs)
    except UsageError:
        return True
    return False


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_what_is_let_through_is_never_what_a_closer_look_refuses(schema):
    offered = tool(value=schema)
    fit = Fit(offered)
    let_through = [value for value in VALUES if fit.holds((value,), {})]
    assert let_through == [value for value in VALUES if fit.holds((), {"value": value})]
    assert not [value for value in let_through if is_refused(offered, (value,), {})]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, {"a": [1, (2,)]}),
        (True, object()),  # whether it can be sent is found when it is
        (STRING, "a"),
        (INTEGER, 1),
        (NUMBER, 1.5),
        (NUMBER, 1),
        (BYTES, b"a"),
        (BYTES, memoryview(b"a")),
        (TEXTS, ["a", "b"]),
        (COUNTS, {"a": 1}),
        ({"type": "array"}, [object()]),
        ({"type": "object", "additionalProperties": True}, {"a": ["b"]}),
        ({"anyOf": [TEXTS, NULL]}, ["a"]),
        ({"anyOf": [STRING, NULL], "default": None, "title": "City"}, None),
    ],
)
def test_plain_arguments_are_let_through(schema, value):
    assert Fit(tool(value=schema)).holds((value,), {})
    assert Fit(tool(value=schema)).holds((), {"value": value})


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        (("Oslo",), {}),
        (("Oslo", 2), {}),
        (("Oslo",), {"days": 2}),
        ((), {"city": "Oslo", "days": 2}),
        ((), {"days": 2}),
        ((), {}),
        (("Oslo", 2, 3), {}),
        (("Oslo",), {"city": "Rome"}),
        (("Oslo",), {"dais": 2}),
        (("Oslo",), {"days": "2"}),
    ],
)
def test_arguments_by_position_and_by_name_are_told_apart(args, kwargs):
    offered = tool(city=STRING, days=INTEGER, required=["city"])
    assert Fit(offered).holds(args, kwargs) is not is_refused(offered, args, kwargs)


def test_what_goes_by_name_alone_can_be_missing():
    offered = tool(city=STRING, unit=STRING, required=["unit"], positional=["city"])
    assert not Fit(offered).holds(("Oslo",), {})
    assert Fit(offered).holds(("Oslo",), {"unit": "C"})


def test_further_arguments_are_left_to_a_closer_look():
    offered = {**tool(city=STRING, additional=INTEGER), "variadic": True}
    assert not Fit(offered).holds(("Oslo", 1), {})
    assert not Fit(offered).holds(("Oslo",), {"days": "many"})
