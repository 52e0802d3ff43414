"""Values that JSON has no word for, in both directions."""

import enum
import uuid
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import PurePosixPath
from typing import List, Optional, Set, Tuple


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    x: int
    y: int = 0
    label: Optional[str] = None


VALUES = {
    "bytes": b"\x00\xff",
    "date": date(2024, 2, 29),
    "datetime": datetime(2024, 2, 29, 12, 30, tzinfo=timezone.utc),
    "dataclass": Point(1, 2),
    "decimal": Decimal("1.10"),
    "dict": {"a": [1, {"b": None}]},
    "enum": Colour.RED,
    "float": 0.1,
    "frozenset": frozenset({1}),
    "infinity": float("inf"),
    "integer": 2**70,
    "naive": datetime(2024, 2, 29, 12, 30),  # noqa: DTZ001 - one without a time zone
    "nan": float("nan"),
    "negative-infinity": float("-inf"),
    "none": None,
    "path": PurePosixPath("/a/b"),
    "set": {1},
    "string": 'Bärn "€" \u2028 \0 \U0001f40d',
    "surrogate": "\ud800",
    "time": time(12, 30),
    "timedelta": timedelta(seconds=90),
    "tuple": (1, (2,)),
    "uuid": uuid.UUID(int=1),
}


def give(kind: str) -> object:
    """The value of that kind."""
    return VALUES[kind]


def take(
    *,
    colour: Colour = Colour.RED,
    data: bytes = b"",
    day: Optional[date] = None,
    moment: Optional[datetime] = None,
    names: Optional[Set[str]] = None,
    number: Optional[Decimal] = None,
    pair: Tuple[int, str] = (0, ""),
    path: Optional[PurePosixPath] = None,
    point: Optional[Point] = None,
    points: Optional[List[Point]] = None,
    unique: Optional[uuid.UUID] = None,
) -> str:
    """Say what came, each value as Python writes it."""
    given = dict(locals())
    return ", ".join(f"{name}={value!r}" for name, value in given.items() if value)


def nested(where: str) -> object:
    """A value with an object inside that can't travel."""
    stranger = object()
    return {"list": [1, stranger], "dict": {"a": {"b": stranger}}, "key": {stranger: 1}, "itself": stranger}[where]
