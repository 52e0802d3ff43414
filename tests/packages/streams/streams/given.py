"""Functions that are given iterators."""

import datetime as dt
import os
from typing import AsyncIterator, Generator, Iterable, Iterator, List, Optional


def plughost_tools():
    return [
        total,
        total_of_any,
        first,
        ignore,
        listed,
        double,
        adouble,
        pairs,
        days,
        until_error,
        asum,
        kinds,
        note_each,
        keep,
        next_kept,
    ]


def total(numbers: Iterator[int]) -> int:
    return sum(numbers)


def total_of_any(*numbers):
    return [sum(each) for each in numbers]


def first(numbers: Iterable[int], count: int = 1) -> List[int]:
    iterator = iter(numbers)
    return [next(iterator) for _ in range(count)]


def ignore(numbers=None, more: Optional[Generator] = None) -> str:  # noqa: ARG001 - that's what it is for
    return "ignored"


def listed(numbers: List[int]) -> int:
    return sum(numbers)


def double(numbers: Iterator[int], path: str = ""):
    try:
        for number in numbers:
            yield 2 * number
    finally:
        if path:
            with open(path, "w") as file:
                file.write("ended")


async def adouble(numbers: AsyncIterator[int]):
    async for number in numbers:
        yield 2 * number


async def asum(numbers: AsyncIterator[int]) -> int:
    return sum([number async for number in numbers])


def pairs(one: Iterator, other: Iterator) -> List:
    return [list(pair) for pair in zip(one, other)]  # noqa: B905 - `strict` is Python 3.10's


def days(dates: Iterator[dt.date]) -> int:
    return sum(date.day for date in dates)


def until_error(numbers: Iterator[int]):
    seen = []
    try:
        for number in numbers:
            seen += [number]
    except LookupError as error:
        return [seen, type(error).__name__, str(error)]
    return None


def kinds(values) -> List[str]:
    return [type(value).__name__ for value in values]


def note_each(numbers: Iterator[int], path: str) -> int:
    """Says in the file what came last."""
    number = 0
    with open(path, "w") as file:
        for number in numbers:
            os.pwrite(file.fileno(), b"%d" % number, 0)
    return number


kept = []


def keep(numbers: Iterator[int]) -> int:
    kept.append(numbers)
    return os.getpid()


def next_kept():
    return next(kept.pop())
