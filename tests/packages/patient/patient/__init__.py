"""Tools that wait, and say when."""

import os
import time
from typing import Iterator, List

_FOREVER_S = 3600
_calls: List[None] = []


def wait(told: str) -> None:
    """Write the process's number to the file `told`, and wait; at the end, however it comes, write a line to it."""
    with open(told, "a") as file:
        try:
            print(os.getpid(), file=file, flush=True)
            time.sleep(_FOREVER_S)
        finally:
            print("ended", file=file)


def drip(told: str) -> Iterator[int]:
    """Give a number, and wait with the next one."""
    yield 1
    wait(told)


def serial() -> Iterator[int]:
    """The process's number, and how often it has been asked."""
    _calls.append(None)
    yield os.getpid()
    yield len(_calls)
