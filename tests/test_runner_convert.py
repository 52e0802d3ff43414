"""JSON as a tool's annotations ask for it: each kind of value, what is refused, and that plain tools are left alone."""

# ruff: noqa: UP006, UP007, UP035, UP045 - the words of plugins for every Python

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import functools
import math
import os
import random
import subprocess
import sys
import uuid
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import (
    Annotated,
    Any,
    Counter,
    DefaultDict,
    Deque,
    Dict,
    FrozenSet,
    Generic,
    List,
    Literal,
    Mapping,
    NamedTuple,
    NewType,
    Optional,
    Sequence,
    Set,
    Tuple,
    TypedDict,
    TypeVar,
    Union,
)

import jsonschema_rs
import pytest

from plughost import _process
from plughost.runner import _annotations, _convert, _making, _schema, wire

RUNNER = Path(wire.__file__).parent
PYTHONS = Path("~/.pyenv/versions").expanduser()


class Colour(enum.Enum):
    RED = "red"
    BLUE = 2
    PAIR = (1, 2)


class Level(enum.IntFlag):
    LOW = 1
    HIGH = 2


@dataclasses.dataclass
class Point:
    x: float
    day: Optional[dt.date] = None
    note: str = None  # type: ignore[assignment] - people write this


@dataclasses.dataclass
class Tree:
    name: str
    leaves: List[Tree] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Checked:
    n: int

    def __post_init__(self):
        if self.n < 0:
            raise ValueError("it must not be negative")


class Options(TypedDict, total=False):
    day: dt.date
    name: str


class Pair(NamedTuple):
    left: int
    right: Set[int] = frozenset()


T = TypeVar("T")


@dataclasses.dataclass
class Box(Generic[T]):
    content: T
    more: List[T] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class DayBox(Box[dt.date]):
    size: dataclasses.InitVar[Decimal] = Decimal(0)

    def __post_init__(self, size):
        self.area = size * size


Days = NewType("Days", List[dt.date])
DAY = dt.date(2024, 2, 29)

#: Annotation, JSON value, what it is made.
MADE = [
    (bytes, "YWI=", b"ab"),
    (bytearray, "YWI=", bytearray(b"ab")),
    (bytearray, b"ab", bytearray(b"ab")),
    (float, 1, 1.0),
    (float, "-Infinity", -math.inf),
    (dt.date, "2024-02-29", DAY),
    (dt.datetime, "2024-02-29T12:30:00Z", dt.datetime(2024, 2, 29, 12, 30, tzinfo=dt.UTC)),
    (dt.time, "12:30:00.5", dt.time(12, 30, 0, 500_000)),
    (dt.timedelta, 1.5, dt.timedelta(seconds=1.5)),
    (Decimal, "1.10", Decimal("1.10")),
    (Decimal, 0.1, Decimal("0.1")),
    (Decimal, 3, Decimal(3)),
    (uuid.UUID, "00000000-0000-0000-0000-000000000001", uuid.UUID(int=1)),
    (Path, "/a", Path("/a")),
    (os.PathLike, "/a", Path("/a")),
    (PurePosixPath, "/a", PurePosixPath("/a")),
    (Colour, "red", Colour.RED),
    (Colour, 2, Colour.BLUE),
    (Colour, "BLUE", Colour.BLUE),
    (Colour, [1, 2], Colour.PAIR),
    (Level, 3, Level.LOW | Level.HIGH),
    (Literal[Colour.RED], "red", Colour.RED),
    (Optional[dt.date], "2024-02-29", DAY),
    (Union[int, dt.date], "2024-02-29", DAY),
    (Union[Point, Checked], {"n": 1}, Checked(1)),
    (Annotated[dt.date, "a day"], "2024-02-29", DAY),
    (Days, ["2024-02-29"], [DAY]),
    (List[dt.date], ["2024-02-29"], [DAY]),
    (Sequence[dt.date], ["2024-02-29"], [DAY]),
    (Deque[int], [1], collections.deque([1])),
    (Set[dt.date], ["2024-02-29"], {DAY}),
    (set, [1, 1], {1}),
    (FrozenSet[int], [1], frozenset({1})),
    (FrozenSet[int], {1}, frozenset({1})),
    (Set[Tuple[int, int]], [[1, 2]], {(1, 2)}),
    (tuple, [1, [2]], (1, [2])),
    (Tuple[dt.date, ...], ["2024-02-29"], (DAY,)),
    (Tuple[dt.date, int], ["2024-02-29", 1], (DAY, 1)),
    (Tuple[()], [], ()),
    (Dict[str, dt.date], {"a": "2024-02-29"}, {"a": DAY}),
    (Mapping[int, str], {"1": "a"}, {1: "a"}),
    (Dict[float, int], {"0.5": 2}, {0.5: 2}),
    (Dict[bool, int], {"true": 1}, {True: 1}),
    (Dict[dt.date, int], {"2024-02-29": 1}, {DAY: 1}),
    (Dict[Colour, int], {"red": 1, "2": 2}, {Colour.RED: 1, Colour.BLUE: 2}),
    (Dict[Optional[int], str], {"null": "a", "1": "b"}, {None: "a", 1: "b"}),
    (Counter[str], {"a": 1}, collections.Counter(a=1)),
    (DefaultDict[str, List[int]], {"a": [1]}, collections.defaultdict(list, a=[1])),
    (collections.OrderedDict, {"a": 1}, collections.OrderedDict(a=1)),
    (Point, {"x": 1, "day": "2024-02-29", "note": None}, Point(1.0, DAY)),
    (Point, {"x": "Infinity"}, Point(math.inf)),
    (List[Point], [{"x": 1}], [Point(1.0)]),
    (Tree, {"name": "a", "leaves": [{"name": "b"}]}, Tree("a", [Tree("b")])),
    (Box[dt.date], {"content": "2024-02-29", "more": ["2024-02-29"]}, Box(DAY, [DAY])),
    (Box[List[Colour]], {"content": ["red"]}, Box([Colour.RED])),
    (DayBox, {"content": "2024-02-29"}, DayBox(DAY)),
    (Options, {"day": "2024-02-29", "more": 1}, {"day": DAY, "more": 1}),
    (Pair, [1, [2]], Pair(1, {2})),
    (Pair, {"left": 1}, Pair(1)),
]

#: Annotation and value: the value comes out as the object that it is.
KEPT = [
    (int, 1),
    (str, "a"),
    (bool, True),
    (float, 1.5),
    (Any, object()),
    (PurePosixPath, Path("/a")),
    (Point, Point(1.0)),
    (dt.date, DAY),
    (dt.datetime, dt.datetime(2024, 1, 1, tzinfo=dt.UTC)),
    (bytes, b"a"),
    (Colour, Colour.RED),
    (Optional[dt.date], None),
    (Union[dt.date, str], "2024-02-29"),
    (Union[float, int], 1),
    (List[int], [1, 2]),
    (List[dt.date], [DAY]),
    (Set[int], {1}),
    (Tuple[int, str], (1, "a")),
    (Dict[str, List[float]], {"a": [1.5]}),
    (Options, {"day": DAY}),
    (Pair, Pair(1)),
    (Literal["a", 1], 1),
]

#: Annotation, value, the path to what is wrong, and what is said of it.
REFUSED = [
    (int, True, [], "is True, and should be an integer"),
    (int, 1.5, [], "is 1.5, and should be an integer"),
    (float, "many", [], "is 'many', and should be a number"),
    (float, 10**400, [], None),
    (str, 1, [], "is 1, and should be text"),
    (bytes, "a", [], "is 'a', and should be bytes, or base64 text"),
    (dt.date, "2024-02-30", [], "is '2024-02-30', and should be a date such as 2024-02-29"),
    (dt.date, 5, [], "is 5, and should be a date such as 2024-02-29"),
    (dt.timedelta, "1", [], "is '1', and should be a number of seconds"),
    (dt.timedelta, 1e300, [], "is 1e+300, and should be a number of seconds"),
    (Decimal, "many", [], "is 'many', and should be a decimal number"),
    (Decimal, True, [], "is True, and should be a decimal number"),
    (uuid.UUID, "1", [], "is '1', and should be a UUID"),
    (Path, 1, [], "is 1, and should be a path"),
    (Colour, "green", [], "is 'green', and should be one of 'red', 2, (1, 2)"),
    (Literal["a", 1], "b", [], "is 'b', and should be one of 'a', 1"),
    (Literal[1], True, [], "is True, and should be one of 1"),
    (Optional[dt.date], "x", [], "is 'x', and should be a date such as 2024-02-29"),
    (Union[List[dt.date], None], ["x"], [0], "is 'x', and should be a date such as 2024-02-29"),
    (List[dt.date], "2024", [], "is '2024', and should be an array"),
    (List[dt.date], ["2024-02-29", 1], [1], "is 1, and should be a date such as 2024-02-29"),
    (Set[Any], [{}], [], "is [{}], and should be an array of different items"),
    (Tuple[int, str], [1], [], "is [1], and should be an array of 2 items"),
    (Tuple[int, str], [1, 2], [1], "is 2, and should be text"),
    (Dict[str, dt.date], {"a": 1}, ["a"], "is 1, and should be a date such as 2024-02-29"),
    (Dict[int, str], {"a": ""}, ["a"], "is 'a', and should be an integer"),
    (Dict[str, str], [], [], "is [], and should be an object"),
    (Point, 1, [], "is 1, and should be an object"),
    (Point, {}, [], "lacks `x`"),
    (Point, {"x": 1, "z": 1}, [], "has no field `z`"),
    (Point, {"x": "a"}, ["x"], "is 'a', and should be a number"),
    (Tree, {"name": "a", "leaves": [{"name": 1}]}, ["leaves", 0, "name"], "is 1, and should be text"),
    (Checked, {"n": -1}, [], "can't be made a `Checked`: ValueError: it must not be negative"),
    (Box[int], {"content": "a"}, ["content"], "is 'a', and should be an integer"),
    (Pair, [1, [], 2], [], "is [1, [], 2], and should be an array of 2 items"),
    (str, ["x" * 200], [], None),
]


@pytest.mark.parametrize(("annotation", "value", "expected"), MADE)
def test_json_is_made_what_the_annotation_asks_for(annotation, value, expected):
    made = _making.make(annotation, value)
    assert made == expected
    assert type(made) is type(expected)
    assert _convert.needs_conversion(annotation)


@pytest.mark.parametrize(("annotation", "value"), KEPT)
def test_value_of_the_right_type_stays_the_object_that_it_is(annotation, value):
    assert _making.make(annotation, value) is value


@pytest.mark.parametrize(("annotation", "value", "path", "message"), REFUSED)
def test_value_that_does_not_fit_is_refused_with_its_place(annotation, value, path, message):
    def tool(it: annotation): ...

    tool.__annotations__["it"] = annotation
    with pytest.raises(_convert.ConversionError) as caught:
        _convert.convert(tool, [value], {}, ["it"])
    assert caught.value.parameter == "it"
    assert caught.value.path == path
    assert len(str(caught.value)) < 200
    if message is not None:
        assert str(caught.value) == f"`{wire.path_text(['it', *path])}` {message}"


def test_what_only_the_making_of_a_dataclass_takes_is_given_to_it():
    made = _making.make(DayBox, {"content": "2024-02-29", "size": "1.5"})
    assert (made.content, made.area) == (DAY, Decimal("2.25"))


PLAIN = [
    int,
    str,
    bool,
    None,
    Any,
    object,
    list,
    dict,
    List[int],
    Dict[str, List[str]],
    Optional[str],
    Union[int, List[bool]],
    Literal["a", 1],
]


@pytest.mark.parametrize("annotation", [*PLAIN, Sequence[int], Mapping[str, Any], TypedDict("Plain", {"a": int}), "unknown"])
def test_plain_tools_need_no_conversion(annotation):
    assert not _convert.needs_conversion(annotation)


def test_recursive_typed_dict_ends():
    class Node(TypedDict):
        below: List[Node]

    Node.__annotations__["below"] = List[Node]
    assert not _convert.needs_conversion(Node)


def test_only_the_named_parameters_are_converted():
    def tool(a: dt.date, b: dt.date): ...

    assert _convert.convert(tool, ["2024-02-29"], {"b": "2024-02-29"}, ["b"]) == (["2024-02-29"], {"b": DAY})


def test_further_arguments_are_converted_by_their_own_annotation():
    def tool(first: int, *rest: dt.date, **more: Decimal): ...

    given = _convert.convert(tool, [1, "2024-02-29"], {"a": "1.5"}, ["rest", "more"])
    assert given == ([1, DAY], {"a": Decimal("1.5")})
    with pytest.raises(_convert.ConversionError, match=r"^`rest` is 'x', and should be a date"):
        _convert.convert(tool, [1, "x"], {}, ["rest"])
    with pytest.raises(_convert.ConversionError, match=r"^`b` is 'x', and should be a decimal"):
        _convert.convert(tool, [], {"b": "x"}, ["more"])


def test_positional_only_arguments_given_by_name_take_their_place():
    def tool(a, b=2, c: Optional[dt.date] = None, /, d=4): ...

    assert _convert.convert(tool, [], {"a": 1, "d": 5}, []) == ([1], {"d": 5})
    assert _convert.convert(tool, [1], {"c": "2024-02-29"}, ["c"]) == ([1, 2, DAY], {})
    assert _convert.convert(tool, [1, 2], {"d": 5}, []) == ([1, 2], {"d": 5})
    with pytest.raises(_convert.ConversionError, match=r"^`a` is missing$"):
        _convert.convert(tool, [], {"b": 1}, [])


def test_default_none_is_taken_where_the_annotation_forgets_it():
    def tool(day: dt.date = None): ...  # noqa: RUF013 - which is what people write

    assert _convert.convert(tool, [None], {}, ["day"]) == ([None], {})


def test_given_arguments_are_not_changed():
    args, kwargs = [["2024-02-29"]], {"b": ["2024-02-29"]}

    def tool(a: List[dt.date], b: List[dt.date]): ...

    _convert.convert(tool, args, kwargs, ["a", "b"])
    assert (args, kwargs) == ([["2024-02-29"]], {"b": ["2024-02-29"]})


def test_methods_partials_and_callable_objects_are_converted_by_what_they_call():
    class Tool:
        def __call__(self, day: dt.date): ...

        def method(self, day: dt.date): ...

    def function(n: int, day: dt.date): ...

    for tool in (Tool(), Tool().method, functools.partial(function, 1)):
        assert _convert.convert(tool, ["2024-02-29"], {}, ["day"]) == ([DAY], {})


def random_annotation(choose, depth):
    scalars = [int, str, bool, float, bytes, dt.date, dt.timedelta, Decimal, uuid.UUID, PurePosixPath, Colour, Any, Point, Tree]
    if depth == 0 or choose.random() < 0.3:
        return choose.choice(scalars)
    inner = random_annotation(choose, depth - 1)
    return choose.choice([List[inner], Tuple[inner, ...], Tuple[inner, int], Dict[str, inner], Optional[inner], Dict[int, inner]])


def random_value(choose, annotation):
    meaning = _annotations.Meaning(annotation)
    number = choose.randrange(1000)
    scalars = {
        int: number,
        str: f"text {number}",
        bool: number % 2 == 0,
        float: choose.choice([number / 8, math.inf, float(number)]),
        bytes: choose.randbytes(3),
        dt.date: DAY + dt.timedelta(number),
        dt.timedelta: dt.timedelta(seconds=number / 8),
        Decimal: Decimal(number) / 100,
        uuid.UUID: uuid.UUID(int=number),
        PurePosixPath: PurePosixPath(f"/a/{number}"),
        Colour: choose.choice(list(Colour)),
        Any: number,
        Point: Point(number / 8, choose.choice([None, DAY])),
        Tree: Tree("a", [Tree(f"b{number}")]),
    }
    if annotation in scalars:
        return scalars[annotation]
    if meaning.kind == "union":
        return choose.choice([None, random_value(choose, meaning.inside[0])])
    if meaning.kind == "mapping":
        keys = [str(number), "k"] if meaning.inside[0] is str else [number, 7]
        return {key: random_value(choose, meaning.inside[1]) for key in keys}
    if meaning.kind == "list":
        return [random_value(choose, meaning.inside[0]) for _ in range(choose.randrange(3))]
    if meaning.inside[-1] is Ellipsis:
        return tuple(random_value(choose, meaning.inside[0]) for _ in range(choose.randrange(3)))
    return tuple(random_value(choose, item) for item in meaning.inside)


def test_random_values_come_back_from_plain_json_as_they_were_and_fit_their_schema():
    for seed in range(1_000):
        choose = random.Random(seed)
        annotation = random_annotation(choose, depth=3)
        value = random_value(choose, annotation)
        shown = wire.plain(value)
        schemas = _schema.Schemas()
        schema = schemas.complete(schemas.of(annotation))
        assert jsonschema_rs.validator_for(schema).is_valid(shown), (seed, annotation, shown)
        assert _making.make(annotation, shown) == value, (seed, annotation, shown)


MODELS = f"""
import datetime, sys
package = type(sys)("plughost_runner")
package.__path__ = [{os.fspath(RUNNER)!r}]
sys.modules["plughost_runner"] = package
sys.path.insert(0, sys.argv[1])
from typing import *
import msgspec, pydantic
from plughost_runner import _convert, wire

class Model(pydantic.BaseModel):
    day: datetime.date
    again: Optional["Model"] = None

class Struct(msgspec.Struct):
    day: datetime.date

def tool(a: Model, b: List[Struct]): ...

day = "2024-02-29"
args, kwargs = _convert.convert(tool, [{{"day": day, "again": {{"day": day}}}}], {{"b": [{{"day": day}}]}}, ["a", "b"])
assert args[0].again.day == kwargs["b"][0].day == datetime.date(2024, 2, 29), (args, kwargs)
assert _convert.convert(tool, args, kwargs, ["a", "b"]) == (args, kwargs)
print(wire.plain([args, kwargs]))
try:
    _convert.convert(tool, [], {{"b": [{{"day": 1.5}}]}}, ["b"])
except _convert.ConversionError as error:
    print(error)
"""


def test_models_of_pydantic_and_msgspec_are_made_and_travel_as_objects(tmp_path):
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable, "--target", tmp_path]
    subprocess.run([*install, "pydantic", "msgspec"], check=True, capture_output=True)
    argv = [os.path.realpath(sys.executable), "-I", "-S", "-c", MODELS, os.fspath(tmp_path)]
    done = _process.run(argv, env=_process.base_environment(), timeout_s=60)
    assert done.returncode == 0, done.stderr
    shown, error = done.stdout.splitlines()
    assert shown == "[[{'day': '2024-02-29', 'again': {'day': '2024-02-29', 'again': None}}], {'b': [{'day': '2024-02-29'}]}]"
    assert error.startswith("`b[0]` can't be made a `Struct`: ValidationError: Expected `date`")


OLDER = f"""
from __future__ import annotations
import sys
package = type(sys)("plughost_runner")
package.__path__ = [{os.fspath(RUNNER)!r}]
sys.modules["plughost_runner"] = package
import dataclasses, datetime, typing
from plughost_runner import _convert

@dataclasses.dataclass
class Point:
    x: float
    days: list[datetime.date] | None = None
    next: Point | None = None

def tool(point: Point, days: dict[str, list[datetime.datetime]], *rest: tuple[int, ...]) -> None: ...

point = {{"x": 1, "days": ["2024-02-29"], "next": {{"x": "NaN"}}}}
print(_convert.convert(tool, [point, {{"a": ["2024-02-29T12:30:00.5Z"]}}, [1]], {{}}, ["point", "days", "rest"]))
"""


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"])
def test_modern_annotations_are_understood_by_every_python(version):
    found = sorted(PYTHONS.glob(f"{version}.*/bin/python"))
    if not found:
        pytest.skip(f"no Python {version} in {PYTHONS}")
    done = _process.run([os.fspath(found[-1]), "-I", "-S", "-c", OLDER], env=_process.base_environment(), timeout_s=60)
    moment = "datetime.datetime(2024, 2, 29, 12, 30, 0, 500000, tzinfo=datetime.timezone.utc)"
    point = "Point(x=1.0, days=[datetime.date(2024, 2, 29)], next=Point(x=nan, days=None, next=None))"
    assert done.stdout == f"([{point}, {{'a': [{moment}]}}, (1,)], {{}})\n", done.stderr
