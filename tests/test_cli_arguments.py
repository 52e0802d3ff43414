"""`key=value` on a command line, read as what a tool's schema takes."""

from __future__ import annotations

import pytest

from plughost.cli._arguments import read_piped, typed
from plughost.errors import UsageError

STRING, INTEGER, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
BOOLEAN, NULL, ARRAY, OBJECT = {"type": "boolean"}, {"type": "null"}, {"type": "array"}, {"type": "object"}
INTEGERS, STRINGS = {"type": "array", "items": INTEGER}, {"type": "array", "items": STRING}


def any_of(*schemas):
    return {"anyOf": list(schemas)}


def tool(schema, **more):
    return {"type": "object", "properties": {"x": schema}, "additionalProperties": False, **more}


def read(schema, *pairs, **more):
    return typed(pairs, tool(schema, **more), tool="weather:forecast")


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        (STRING, "Bern", "Bern"),
        (STRING, "3", "3"),
        (STRING, "null", "null"),
        (STRING, "", ""),
        (STRING, "a=b", "a=b"),
        (STRING, '"Bern"', '"Bern"'),
        (STRING, "[1", "[1"),
        ({"type": "string", "format": "date"}, "2026-01-31", "2026-01-31"),
        (INTEGER, "3", 3),
        (INTEGER, "-3", -3),
        (NUMBER, "3", 3),
        (NUMBER, "-1.5e3", -1500.0),
        (BOOLEAN, "true", True),
        (BOOLEAN, "Yes", True),
        (BOOLEAN, "1", True),
        (BOOLEAN, "no", False),
        (BOOLEAN, "0", False),
        (NULL, "null", None),
        (ARRAY, "[1, [2]]", [1, [2]]),
        (ARRAY, "", []),
        (INTEGERS, "1,2,3", [1, 2, 3]),
        (INTEGERS, "7", [7]),
        (STRINGS, "1,b", ["1", "b"]),
        ({"type": "array", "prefixItems": [STRING, INTEGER]}, "1,2", ["1", 2]),
        (OBJECT, '{"a": null}', {"a": None}),
        ({}, "3", 3),
        ({}, "true", True),
        ({}, "Bern", "Bern"),
        ({}, "NaN", "NaN"),
        ({"enum": ["C", "F"]}, "F", "F"),
        ({"enum": [1, "1x", None]}, "1", 1),
        ({"const": 2}, "2", 2),
        ({"type": ["integer", "string"]}, "3", 3),
        ({"type": ["integer", "string"]}, "Bern", "Bern"),
        (any_of(INTEGER, NULL), "null", None),
        (any_of(INTEGER, NULL), "3", 3),
        (any_of(STRING, NULL), "null", "null"),
        (any_of(STRING, INTEGER), "3", 3),
        (any_of(STRING, STRINGS), "a,b", "a,b"),
        (any_of(STRING, STRINGS), '["a"]', ["a"]),
        (any_of(INTEGERS, INTEGER), "3", 3),
        (any_of(INTEGERS, INTEGER), "3,4", [3, 4]),
        (any_of(BOOLEAN, OBJECT), "yes", True),
    ],
)
def test_a_text_is_read_as_what_the_parameter_takes(schema, text, value):
    found = read(schema, f"x={text}")["x"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (INTEGER, "three"),
        (INTEGER, "3.0"),
        (INTEGER, "1_000"),
        (INTEGER, "٣"),
        (INTEGER, " 3"),
        (INTEGER, ""),
        (INTEGER, "9" * 5000),
        (NUMBER, "nan"),
        (NUMBER, "1e999"),
        (NUMBER, "1_0"),
        (BOOLEAN, "maybe"),
        (NULL, ""),
        (OBJECT, "a"),
        ({"enum": [1, 2]}, "3"),
        (any_of(INTEGER, NULL), "x"),
    ],
)
def test_what_fits_nothing_stays_text_for_the_check_to_name(schema, text):
    assert read(schema, f"x={text}") == {"x": text}


def test_references_are_followed_also_in_a_circle():
    assert read({"$ref": "#/$defs/Days"}, "x=3", **{"$defs": {"Days": INTEGER}}) == {"x": 3}
    assert read({"$ref": "#/$defs/Round"}, "x=3", **{"$defs": {"Round": {"$ref": "#/$defs/Round"}}}) == {"x": 3}


def test_json_is_taken_as_it_is():
    assert read(STRING, 'x:={"a": [1, null]}') == {"x": {"a": [1, None]}}


def test_an_array_may_be_given_in_parts():
    assert read(STRINGS, "x=a,b", "x=c", 'x:=["d"]') == {"x": ["a", "b", "c", "d"]}


def test_further_arguments_are_read_by_their_own_schema():
    assert read({}, "y=3", "z=4", additionalProperties=STRING) == {"y": "3", "z": "4"}


@pytest.mark.parametrize(
    ("pairs", "schema", "message", "cause"),
    [
        (["x=1", "x=2"], INTEGER, "The argument `x` of `weather:forecast` is given twice", "It takes one value"),
        (["Bern"], STRING, "`Bern` is no argument", "Arguments are given as `KEY=VALUE`, or as `KEY:=JSON`"),
        (["=Bern"], STRING, "`=Bern` is no argument", "Arguments are given as `KEY=VALUE`, or as `KEY:=JSON`"),
        (
            ["x:={"],
            STRING,
            "The argument `x` of `weather:forecast` is not JSON",
            "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        ),
        (["x:=NaN"], NUMBER, "The argument `x` of `weather:forecast` is not JSON", "NaN is not JSON"),
        (["x=[1,"], INTEGERS, "The argument `x` of `weather:forecast` is not JSON", None),
        (['x={"a"}'], OBJECT, "The argument `x` of `weather:forecast` is not JSON", None),
    ],
)
def test_what_cannot_be_read_is_named(pairs, schema, message, cause):
    with pytest.raises(UsageError) as caught:
        read(schema, *pairs)
    assert (caught.value.reference, caught.value.message) == ("arguments-invalid", message)
    assert cause in (None, *caught.value.causes)


@pytest.mark.parametrize(
    ("schema", "data", "value"),
    [
        (STRING, b"two\nlines\n", "two\nlines\n"),
        ({}, b"Bern\n", "Bern\n"),
        (INTEGERS, b"[1, 2]\n", [1, 2]),
        (INTEGER, b"3\n", 3),
        ({"type": "string", "contentEncoding": "base64"}, b"\xff\0", b"\xff\0"),
        (any_of({"type": "string", "contentEncoding": "base64"}, NULL), b"\xff", b"\xff"),
    ],
)
def test_what_is_piped_in_is_read_as_if_it_were_typed(schema, data, value):
    assert read_piped("x", data, tool(schema), tool="weather:forecast") == value


def test_text_that_is_piped_in_is_utf_8():
    with pytest.raises(UsageError, match="The standard input is not UTF-8, and `x` of `weather:forecast` takes text"):
        read_piped("x", b"\xff", tool(STRING), tool="weather:forecast")
