"""How values travel: both directions, between Pythons, and against a hostile other end."""

from __future__ import annotations

import array
import dataclasses
import datetime as dt
import decimal
import enum
import json
import math
import os
import pathlib
import random
import socket
import sys
import uuid
from collections import OrderedDict, namedtuple
from pathlib import Path

import pytest

from plughost import _process
from plughost.runner import framing, wire

RUNNER = Path(wire.__file__).parent
PYTHONS = Path("~/.pyenv/versions").expanduser()

#: Makes the runner's folder the package that it is in a child.
AS_IN_A_CHILD = f"""
import sys
package = type(sys)("plughost_runner")
package.__path__ = [{os.fspath(RUNNER)!r}]
sys.modules["plughost_runner"] = package
"""


class Colour(enum.Enum):
    RED = "red"
    DEEP = ("a", 1)


class Level(enum.IntEnum):
    LOW = 1


class Kind(str, enum.Enum):  # noqa: UP042 - what Python 3.8 to 3.10 have
    A = "a"


@dataclasses.dataclass
class Point:
    x: float
    when: object = None
    size: dataclasses.InitVar[int] = 0


class Name(str):
    __slots__ = ()


Pair = namedtuple("Pair", "left right")  # noqa: PYI024 - the one without annotations

UTC = dt.timezone.utc  # noqa: UP017 - as the children write it
UNCHANGED = {
    "array": array.array("d", [1.5, math.inf]),
    "bytearray": bytearray(b"ab"),
    "complex": complex(-0.0, math.inf),
    "date": dt.date(2024, 2, 29),
    "datetime": dt.datetime(2024, 2, 29, 12, 30, 1, 5, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30))),
    "decimal": decimal.Decimal("1.10"),
    "earliest": dt.datetime.min,  # noqa: DTZ901
    "empty set": set(),
    "frozenset of frozensets": frozenset({frozenset({1}), frozenset({2})}),
    "infinity": math.inf,
    "largest integer": 10**4299,
    "longest": dt.timedelta(days=999_999_999, seconds=86_399),
    "minus infinity": -math.inf,
    "naive": dt.datetime(2024, 2, 29, 12, 30),  # noqa: DTZ001
    "nested": {"a": [{"b": {1, 2}}, b"x", [b"", {"c": b"y"}]]},
    "nothing": None,
    "path": Path("/a/b"),
    "posix path": pathlib.PurePosixPath("a/b"),
    "set of dates": {dt.date(2024, 1, 1), dt.date(2024, 1, 2)},
    "set of tuples": {(1, (dt.date(2024, 1, 1),)), (2, ())},
    "set without order": {1, "a", None},
    "shortest": dt.timedelta(microseconds=-1),
    "surrogate": "\ud800 ü",
    "surrogate and bytes": ["\ud800", b"\xff"],
    "text": 'line\nseparators \u2028\x00 "quoted" 🐍',
    "time": dt.time(12, 30, tzinfo=UTC),
    "uuid": uuid.UUID(int=7),
    "windows path": pathlib.PureWindowsPath("C:\\a"),
}
CHANGED = {
    "dataclass": (Point(1.5, when={Level.LOW}), {"x": 1.5, "when": {1}}),
    "enum": (Colour.RED, "red"),
    "enum of a tuple": (Colour.DEEP, ["a", 1]),
    "integer enum": ([Level.LOW, b""], [1, b""]),
    "keys": (
        {None: 1, True: 2, 3: 4, 1.5: 5, math.nan: 6, Colour.RED: 7, Kind.A: 8, Level.LOW: 9},
        {"null": 1, "true": 9, "3": 4, "1.5": 5, "NaN": 6, "red": 7, "a": 8},
    ),
    "longest but a second": (dt.timedelta.max, dt.timedelta(days=999_999_999, seconds=86_399)),
    "memoryview": (memoryview(b"abcd")[::2], b"ac"),
    "namedtuple": (Pair(1, b"r"), [1, b"r"]),
    "ordered": (OrderedDict(b=1, a={2}), {"b": 1, "a": {2}}),
    "set of objects": ({Colour.RED, Kind.A}, {"red", "a"}),
    "text enum": ([Kind.A, {1}], ["a", {1}]),
    "text subclass": ([Name("n"), {1}], ["n", {1}]),
    "tuple": ((1, (2,)), [1, [2]]),
}


def there_and_back(value, payload="result"):
    line, *frames = wire.pack({"id": 1, payload: value})
    message = wire.unpack(line)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert message.get("frames", []) == [len(frame) for frame in frames]
    wire.restore(message, frames)
    return message[payload]


@pytest.mark.parametrize("name", UNCHANGED)
def test_value_arrives_as_it_was(name):
    value = UNCHANGED[name]
    arrived = there_and_back(value)
    assert arrived == value
    assert type(arrived) is type(value)


@pytest.mark.parametrize("name", CHANGED)
def test_value_arrives_as_the_table_says(name):
    value, expected = CHANGED[name]
    arrived = there_and_back(value)
    assert arrived == expected
    assert type(arrived) is type(expected)


def test_not_a_number_arrives_as_a_float():
    assert math.isnan(there_and_back({"x": [math.nan]})["x"][0])
    assert there_and_back(decimal.Decimal("sNaN")).is_snan()


def test_subclasses_arrive_as_their_bases_inside_too():
    arrived = there_and_back([Name("n"), OrderedDict(a=Level.LOW), b""])
    assert [type(item) for item in arrived] == [str, dict, bytes]
    assert type(arrived[1]["a"]) is int


def test_set_of_objects_arrives_as_a_list():
    @dataclasses.dataclass(frozen=True)
    class Item:
        number: int

    assert there_and_back({Item(1)}) == [{"number": 1}]


def test_line_is_readable_json_with_the_types_beside():
    line, *frames = wire.pack(
        {"id": 1, "params": {"kwargs": {"day": dt.date(2024, 1, 1), "data": b"abc", "x": math.inf, "s": {2, 1}}}}
    )
    assert json.loads(line) == {
        "id": 1,
        "params": {"kwargs": {"day": "2024-01-01", "data": None, "x": "Infinity", "s": [1, 2]}},
        "types": {
            "date": [["kwargs", "day"]],
            "bytes": [["kwargs", "data"]],
            "float": [["kwargs", "x"]],
            "set": [["kwargs", "s"]],
        },
        "frames": [3],
    }
    assert frames == [b"abc"]


def test_plain_line_carries_no_table():
    assert wire.pack({"id": 1, "result": ["ü", 1.5, (None, True)]}) == ['{"id":1,"result":["ü",1.5,[null,true]]}\n'.encode()]


def test_plain_gives_json_values_alone():
    value = {"data": b"\xff", "day": dt.date(2024, 1, 1), "x": math.nan, 1: {2, 1}, "e": Level.LOW}
    shown = wire.plain(value)
    assert shown == {"data": "/w==", "day": "2024-01-01", "x": "NaN", "1": [1, 2], "e": 1}
    assert type(shown["e"]) is int
    json.dumps(shown, allow_nan=False)


def cycle():
    value: list[object] = [1]
    value.append({"again": value})
    return value


def deep(levels, leaf):
    value = leaf
    for _ in range(levels):
        value = [value]
    return value


class Hostile(dict):
    def items(self):
        raise RuntimeError("mine")


class Huge:
    """Far more digits than Python writes."""

    value = 1 << 20_000


@pytest.mark.parametrize(
    ("value", "message", "path"),
    [
        ({"items": [1, 2, 3, socket.socket]}, "`result.items[3]` is a `type`, which has no wire form", ["result", "items", 3]),
        (object(), "`result` is a `object`, which has no wire form", ["result"]),
        ({"a b": [range(3)]}, '`result["a b"][0]` is a `range`, which has no wire form', ["result", "a b", 0]),
        ({"d": {(1, 2): 3}}, "`result.d` has a key of type `tuple`, which has no wire form", ["result", "d"]),
        (
            {"d": {dt.date(2024, 1, 1): 3}},
            "`result.d` has a key of type `datetime.date`, which has no wire form",
            ["result", "d"],
        ),
        (cycle(), "`result[1].again` contains itself", ["result", 1, "again"]),
        (
            [Huge.value],
            "`result[0]` is an integer of more than 4300 digits, which has no wire form",
            ["result", 0],
        ),
        (Hostile(a=1), "`result` can't be read: RuntimeError: mine", ["result"]),
        ((n for n in ()), "`result` is a `generator`, which has no wire form", ["result"]),
    ],
    ids=["class", "object", "complex", "key", "date key", "cycle", "integer", "hostile", "generator"],
)
def test_what_has_no_wire_form_is_named_with_its_place(value, message, path):
    with pytest.raises(wire.WireError) as caught:
        wire.pack({"id": 1, "result": value})
    assert str(caught.value) == message
    assert caught.value.path == path


def test_argument_is_named_by_its_own_name():
    with pytest.raises(wire.WireError, match=r"^`kwargs.city` is a `object`"):
        wire.pack({"id": 1, "params": {"kwargs": {"city": object()}}})
    with pytest.raises(wire.WireError, match=r"^`value.city` is a `object`"):
        wire.plain({"city": object()})


def test_nesting_without_end_is_an_error_with_a_short_message():
    for leaf in (None, b""):
        with pytest.raises(wire.WireError, match="is nested too deeply") as caught:
            wire.pack({"result": deep(100_000, leaf)})
        assert len(str(caught.value)) < 200


def test_cycle_is_found_where_the_recursion_limit_was_raised():
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        with pytest.raises(wire.WireError, match="contains itself"):
            wire.plain(cycle())
        with pytest.raises(wire.WireError, match="nested too deeply"):
            wire.plain(deep(2_000, b""))
    finally:
        sys.setrecursionlimit(before)


def test_value_that_stands_twice_is_no_cycle():
    shared = [b"x"]
    assert there_and_back([shared, {"a": shared}, shared]) == [[b"x"], {"a": [b"x"]}, [b"x"]]


def test_missing_pandas_timestamp_has_no_wire_form():
    class NaTType(dt.datetime):
        pass

    with pytest.raises(wire.WireError, match="NaTType`, which has no wire form"):
        wire.pack({"result": [NaTType(2024, 1, 1)]})


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"[1]",
        b'{"a":1}{"b":2}',
        b'{"a":1} x',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":',
        b"\xff{}",
        b'{"a":"\n"}',
        b"null",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a":' + b"9" * 5_000 + b"}",
    ],
    ids=lambda line: repr(line[:12]),
)
def test_line_that_is_no_json_object_is_refused(line):
    with pytest.raises(wire.WireError):
        wire.unpack(line)


def test_file_that_people_have_indented_is_read():
    assert wire.unpack(b' {\n "a": 1\n}\r\n') == {"a": 1}


@pytest.mark.parametrize(
    ("payload", "types", "frames"),
    [
        ("2024-01-01", [], []),
        ("2024-01-01", {"date": [[]], "set": None}, []),
        ("2024-01-01", {"date": {"a": 1}}, []),
        ("2024-01-01", {"date": [None]}, []),
        ("2024-01-01", {"date": "ab"}, []),
        ("2024-01-01", {"os.system": [[]]}, []),
        ("2024-01-01", {"date": [[], []]}, []),
        ("2024-01-01", {"date": [[0]]}, []),
        ("2024-13-01", {"date": [[]]}, []),
        ("2024-01-01", {"datetime": [[]], "date": [[]]}, []),
        (1, {"date": [[]]}, []),
        (["2024-01-01"], {"date": [[-1]]}, []),
        (["2024-01-01"], {"date": [[False]]}, []),
        (["2024-01-01"], {"date": [["0"]]}, []),
        (["2024-01-01"], {"date": [[1]]}, []),
        (["2024-01-01"], {"date": [[[0]]]}, []),
        ({"a": "2024-01-01"}, {"date": [["b"]]}, []),
        ({"a": "2024-01-01"}, {"date": [[{"a": 1}]]}, []),
        ([{}], {"set": [[]]}, []),
        ([[1]], {"set": [[], [0]]}, []),
        ("abc", {"set": [[]]}, []),
        ("1e5", {"float": [[]]}, []),
        ("many", {"decimal": [[]]}, []),
        (True, {"timedelta": [[]]}, []),
        (1e300, {"timedelta": [[]]}, []),
        (None, {"bytes": [[]]}, []),
        (None, {"bytes": [[]]}, [b"", b""]),
        (None, {}, [b""]),
        ("text", {"bytes": [[]]}, [b"x"]),
        (["x"] * 9, {"uuid": [[index] for index in range(9)]}, []),
    ],
)
def test_table_that_lies_is_refused(payload, types, frames):
    message = wire.unpack(json.dumps({"result": payload, "types": types}).encode())
    with pytest.raises(wire.WireError):
        wire.restore(message, frames)


def test_table_without_a_payload_is_refused():
    with pytest.raises(wire.WireError):
        wire.restore({"types": {"date": [[]]}}, [])
    with pytest.raises(wire.WireError):
        wire.restore({"id": "2024-01-01", "types": {"date": [["id"]]}}, [])


def test_numbers_chosen_to_collide_are_refused_at_once():
    numbers = [index * sys.hash_info.modulus for index in range(200_000)]
    message: dict[str, object] = {"result": numbers, "types": {"set": [[]]}}
    with pytest.raises(wire.WireError):
        wire.restore(message, [])


def test_arrived_message_carries_no_table():
    message: dict[str, object] = {"result": None, "types": {"bytes": [[]]}, "frames": [1]}
    wire.restore(message, [b"x"])
    assert message == {"result": b"x"}


def make_value(choose, depth):
    """A value out of everything that arrives as it was."""
    leaves = [
        lambda: None,
        lambda: choose.random() < 0.5,
        lambda: choose.randrange(-(2**70), 2**70),
        lambda: choose.uniform(-1e9, 1e9),
        lambda: choose.choice([math.inf, -math.inf]),
        lambda: "".join(chr(choose.randrange(0x11000)) for _ in range(choose.randrange(5))),
        lambda: choose.randbytes(choose.randrange(9)),
        lambda: dt.datetime.fromtimestamp(choose.randrange(10**9) + 0.25, UTC),
        lambda: dt.date.fromordinal(choose.randrange(1, 3_000_000)),
        lambda: dt.timedelta(microseconds=choose.randrange(-(10**15), 10**15)),
        lambda: decimal.Decimal(choose.randrange(10**20)).scaleb(choose.randrange(-9, 9)),
        lambda: uuid.UUID(int=choose.getrandbits(128)),
        lambda: pathlib.PurePosixPath(*choose.sample(["a", "b", "..", "ü"], 2)),
    ]
    inside = [
        lambda: [make_value(choose, depth - 1) for _ in range(choose.randrange(4))],
        lambda: {f"k{n}": make_value(choose, depth - 1) for n in range(choose.randrange(4))},
        lambda: {choose.choice(leaves)() for _ in range(choose.randrange(4))},
        lambda: frozenset((n, choose.choice(leaves)()) for n in range(choose.randrange(4))),
    ]
    return choose.choice(leaves + inside * 2 if depth else leaves)()


def test_random_values_arrive_as_they_were():
    for seed in range(2_000):
        value = make_value(random.Random(seed), depth=4)
        assert there_and_back(value) == value, seed


def in_child(version, script, data=b""):
    found = sorted(PYTHONS.glob(f"{version}.*/bin/python"))
    if not found:
        pytest.skip(f"no Python {version} in {PYTHONS}")
    argv = [os.fspath(found[-1]), "-I", "-S", "-c", AS_IN_A_CHILD + script]
    done = _process.run(argv, env=_process.base_environment(), input=data, timeout_s=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


ECHO = """
from plughost_runner import framing, wire
assembler = framing.Assembler()
assembler.feed(sys.stdin.buffer.read())
message = assembler.next()
out = b"".join(wire.pack({"id": 2, "result": message["params"]}))
assert type(message["params"]["date"]).__name__ == "date"
print(out.hex())
"""


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"])
def test_values_travel_to_another_python_and_back(version):
    stdout = in_child(version, ECHO, b"".join(wire.pack({"id": 1, "params": UNCHANGED})))
    line, _newline, rest = bytes.fromhex(stdout).partition(b"\n")
    message = wire.unpack(line)
    frames = []
    for size in message["frames"]:
        frames.append(rest[:size])
        rest = rest[size:]
    wire.restore(message, frames)
    assert message["result"] == UNCHANGED


@pytest.mark.parametrize("version", ["3.8", "3.11", "3.13"])
def test_plain_messages_need_neither_json_nor_any_module_of_a_type(version):
    script = """
before = set(sys.modules)
from plughost_runner import wire
wire.unpack(wire.pack({"result": {"a": [1, "b"]}})[0])
print(*sorted(set(sys.modules) - before))
"""
    assert in_child(version, script).split() == ["__future__", "_json", "plughost_runner.wire"]


@pytest.mark.parametrize("version", ["3.8", "3.13"])
def test_python_without_the_c_half_of_json_sends_the_same(version):
    script = """
sys.modules["_json"] = None
from plughost_runner import wire
message = {"result": ["ü", 1.5, float("nan"), b"x", "\\ud800"]}
line, frame = wire.pack(message)
assert wire.unpack(line)["types"] == {"float": [[2]], "bytes": [[3]]}, line
for bad in (b"", b"[", b'{"a":NaN}', b"{} x"):
    try:
        wire.unpack(bad)
    except wire.WireError:
        continue
    raise SystemExit("taken: " + repr(bad))
print(line.hex())
"""
    expected = wire.pack({"result": ["ü", 1.5, math.nan, b"x", "\ud800"]})[0]
    assert bytes.fromhex(in_child(version, script)) == expected


@pytest.mark.parametrize("version", ["3.8", "3.13"])
def test_date_text_of_other_programs_is_read(version):
    script = """
from plughost_runner import wire
message = {"result": ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00.5+01:00", "2024-01-01T00:00:00.123456789Z", "12:30Z"],
           "types": {"datetime": [[0], [1], [2]], "time": [[3]]}}
wire.restore(message, [])
print(*(value.isoformat() for value in message["result"]))
"""
    assert in_child(version, script).split() == [
        "2024-01-01T00:00:00+00:00",
        "2024-01-01T00:00:00.500000+01:00",
        "2024-01-01T00:00:00.123456+00:00",
        "12:30:00+00:00",
    ]


def test_a_message_is_checked_before_its_frames_are_waited_for():
    assembler = framing.Assembler()
    line, frame = wire.pack({"id": 1, "result": b"x"})
    checked = []
    assembler.feed(line)
    assert assembler.next(checked.append) is None
    assert [message["id"] for message in checked] == [1]
    assembler.feed(frame)
    assert assembler.next(checked.append) == {"id": 1, "result": b"x"}
    assert len(checked) == 1


LARGE = b"l" * (1 << 16)


@pytest.mark.parametrize(
    ("buffers", "count"),
    [
        ([b"line"], 1),
        ([b"line", b"a", b"", b"b"], 1),
        ([b"line", *[b"x" * 1000] * 100], 2),
        ([b"line", LARGE, b"a", LARGE, LARGE], 5),
        ([LARGE, b"a"], 2),
        ([LARGE, LARGE], 2),
    ],
)
def test_small_buffers_are_put_together_and_large_ones_are_not_copied(buffers, count):
    gathered = framing.gathered(buffers)
    assert b"".join(gathered) == b"".join(buffers)
    assert len(gathered) == count
    assert sum(buffer is LARGE for buffer in gathered) == buffers.count(LARGE)


def test_whoever_has_raised_the_recursion_limit_runs_out_of_no_stack():
    script = """
sys.setrecursionlimit(10**8)
from plughost_runner import wire
value = []
value.append(value)
try:
    wire.pack({"result": value})
except wire.WireError as error:
    print(error)
"""
    for version in ("3.8", "3.11", "3.13"):
        assert in_child(version, script) == "`result[0]` contains itself\n"
