"""One tool of every kind."""

import asyncio
import os
import sys
from typing import AsyncIterator, Dict, Iterator


def echo(value):
    return value


def add(a: int, b: int = 2) -> int:
    """Add two numbers.

    Args:
        a: the first.
        b: the second.
    """
    return a + b


def countdown(start: int) -> Iterator[int]:
    """Count down to one."""
    yield from range(start, 0, -1)


async def greet(name: str, *, politely: bool = False) -> str:
    await asyncio.sleep(0)
    return f"Good day, {name}" if politely else f"Hi {name}"


async def ticks(count: int) -> AsyncIterator[int]:
    for tick in range(count):
        await asyncio.sleep(0)
        yield tick


class Double:
    """Double a number."""

    def __call__(self, number: int) -> int:
        return number * 2


def context() -> Dict[str, object]:
    """What the tool sees of where it runs."""
    return {
        "environment": dict(os.environ),
        "executable": sys.executable,
        "folder": os.getcwd(),
        "path": sys.path,
        "prefix": sys.prefix,
        "version": list(sys.version_info[:3]),
    }
