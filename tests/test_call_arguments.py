"""Arguments against a tool's schema: what fits, and what is said of what doesn't."""

from __future__ import annotations

import pytest

from plughost.call import type_text
from plughost.call._arguments import check
from plughost.errors import UsageError

STRING, INTEGER, NULL = {"type": "string"}, {"type": "integer"}, {"type": "null"}
NUMBER = {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]}
POINT = {"type": "object", "properties": {"x": INTEGER, "y": INTEGER}, "required": ["x"], "additionalProperties": False}
TREE = {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}}}
SET = {"type": "array", "items": STRING, "uniqueItems": True}
A_POINT = {"$ref": "#/$defs/Point"}
DEFINITIONS = {"Point": POINT, "Tree": TREE, "Round": {"$ref": "#/$defs/Round"}}


def tool(*, additional=False, required=(), **properties):
    return {
        "name": "forecast",
        "positional": list(properties),
        "parameters": {
            "type": "object",
            "properties": properties,
            "required": list(required),
            "additionalProperties": additional,
            "$defs": DEFINITIONS,
        },
    }


def refusal(tool, *args, **kwargs):
    """The message, its causes and the hint."""
    with pytest.raises(UsageError) as caught:
        check("weather", tool, args, kwargs)
    assert caught.value.reference == "arguments-invalid"
    return caught.value.message, list(caught.value.causes), caught.value.hint


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({}, "anything"),
        (INTEGER, "integer"),
        (NUMBER, "number"),
        ({"type": ["integer", "null"]}, "integer or null"),
        ({"type": "string", "format": "date"}, "string (date)"),
        ({"type": "string", "contentEncoding": "base64"}, "string (base64)"),
        ({"enum": ["C", "F"]}, "one of `C`, `F`"),
        ({"const": 2}, "`2`"),
        ({"anyOf": [A_POINT, NULL]}, "object with `x`, `y` or null"),
        ({"type": "array", "items": A_POINT}, "array of object with `x`, `y`"),
        ({"type": "array", "prefixItems": [STRING, A_POINT]}, "array of string, object with `x`, `y`"),
        ({"type": "object", "additionalProperties": INTEGER}, "object of integer"),
        ({"$ref": "#/$defs/Tree"}, "object with `children`"),
        ({"$ref": "#/$defs/Round"}, "anything"),
        ({"$ref": "#/$defs/Gone"}, "anything"),
    ],
)
def test_a_type_is_told_in_a_few_words(schema, text):
    assert type_text(schema, {"$defs": DEFINITIONS}) == text
    assert type_text({**schema, "$defs": DEFINITIONS}) == text


def test_a_type_without_an_end_is_told_as_far_as_anybody_reads():
    endless = {"Endless": {"type": "array", "items": {"$ref": "#/$defs/Endless"}}}
    assert type_text({"$ref": "#/$defs/Endless"}, {"$defs": endless}) == "array of array of array of array of array"


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (SET, ["a", "a"]),
        ({"anyOf": [SET, NULL]}, ["a", "a"]),
        ({"type": "object", "additionalProperties": SET}, {"b": ["a", "a"]}),
        ({"type": "object", "properties": {"uniqueItems": INTEGER}, "additionalProperties": False}, {"uniqueItems": 1}),
        (A_POINT, {"x": 1}),
        ({"type": "array", "items": STRING}, ["\ud800"]),
        ({"type": "string", "maxLength": 2}, "a\udcff"),
        ({"type": "string", "contentEncoding": "base64"}, b"\xff"),
        ({"type": "array"}, [[[1]]]),
        (True, object),
    ],
)
def test_what_fits_is_let_through(schema, value):
    check("weather", tool(x=schema), [value], {})


LOOK = "`info weather` shows its tools and their arguments"


@pytest.mark.parametrize(
    ("schema", "value", "shown", "causes"),
    [
        (INTEGER, "x", '"x"', ["It takes `x` (integer)"]),
        ({**INTEGER, "description": "How many.\n"}, 1.5, "1.5", ["It takes `x` (integer): How many"]),
        (NUMBER, "inf", '"inf"', ["It takes `x` (number)"]),
        ({"enum": ["C", "F"]}, "K", '"K"', ["It takes `x` (one of `C`, `F`)"]),
        (INTEGER, "\udcff", '"\udcff"', ["It takes `x` (integer)"]),
        ({"type": "array", "items": STRING}, ["a", 1], '["a", 1]', ["`x[1]` is `1`, and should be string"]),
        (A_POINT, {"x": None}, '{"x": null}', ["`x.x` is `null`, and should be integer"]),
        ({"type": "array", "items": A_POINT}, [3], "[3]", ["`x[0]` is `3`, and should be object with `x`, `y`"]),
        ({"anyOf": [INTEGER, NULL]}, "", '""', ["It takes `x` (integer or null)"]),
        (A_POINT, {}, "{}", ['`x`: "x" is a required property']),
        ({**INTEGER, "maximum": 3}, 4, "4", ["`x`: 4 is greater than the maximum of 3"]),
    ],
)
def test_what_does_not_fit_is_named_with_its_value_and_what_was_expected(schema, value, shown, causes):
    message, found, hint = refusal(tool(x=schema), value)
    assert message == f"The argument `x` of `weather:forecast` is `{shown}`, which is not what it takes"
    assert found[: len(causes)] == causes
    assert found[-1].startswith("It takes `x` (")
    assert hint == LOOK


def test_a_long_value_is_shown_by_its_beginning():
    assert f'is `"{"a" * 76}…`' in refusal(tool(x=INTEGER), "a" * 100)[0]


def test_an_unknown_argument_is_told_before_the_one_that_it_was_meant_for():
    forecast = tool(city=STRING, days=INTEGER, required=["city"])
    message, causes, hint = refusal(forecast, ctiy="Bern")
    assert message == "`weather:forecast` has no argument `ctiy`"
    assert causes == ["Its arguments are `city`, `days`"]
    assert hint == "Did you mean `city`?"
    assert refusal(tool(), z=1) == ("`weather:forecast` has no argument `z`", ["It takes no arguments"], LOOK)
    _, causes, hint = refusal({**tool(), "variadic": True}, z=1)
    assert (causes, hint) == (["It takes arguments by position alone"], "`run weather:forecast --args '[…]'` gives them")


def test_what_is_missing_is_listed_with_what_it_takes():
    forecast = tool(city={**STRING, "description": "Where."}, days=INTEGER, required=["city", "days"])
    assert refusal(forecast) == (
        "`weather:forecast` needs `city`, `days`, which were not given",
        ["`city` (string): Where", "`days` (integer)"],
        LOOK,
    )


def test_further_arguments_are_held_to_their_own_schema():
    check("weather", tool(additional=INTEGER), [], {"a": 1})
    assert refusal(tool(additional=INTEGER), a="x")[1] == ["It takes `a` (integer)"]


@pytest.mark.parametrize(
    ("names", "given", "message"),
    [
        ([], 1, "`weather:forecast` takes no arguments by position, and 1 was given"),
        (["x"], 2, "`weather:forecast` takes 1 argument by position, and 2 were given"),
        (["x", "y"], 3, "`weather:forecast` takes 2 arguments by position, and 3 were given"),
    ],
)
def test_too_many_arguments_by_position_are_counted(names, given, message):
    assert refusal(tool(**dict.fromkeys(names, INTEGER)), *range(given))[0] == message


def test_an_argument_is_given_once():
    assert refusal(tool(x=INTEGER), 1, x=1)[0] == "`weather:forecast` was given `x` twice, by position and by name"
