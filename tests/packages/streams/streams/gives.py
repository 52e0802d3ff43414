"""Generators."""

import asyncio
import os
import time
from datetime import date


def plughost_tools():
    return [
        count,
        fail_after,
        note_end,
        note_ahead,
        wait_after,
        wait_in_vain,
        repeat,
        mutate,
        mix,
        cannot_send,
        acount,
        anote_end,
        tell,
        look,
    ]


def count(n: int):
    for number in range(n):
        yield number


def fail_after(n: int):
    yield from range(n)
    raise KeyError("spent")


def note_end(path: str):
    try:
        number = 0
        while True:
            yield number
            number += 1
    finally:
        _note(path, "ended")


def note_ahead(path: str, item=0):
    """Says in the file how many items were asked of it."""
    with open(path, "w") as file:
        for number in range(1, 1_000_000):
            os.pwrite(file.fileno(), b"%d" % number, 0)
            yield item


def wait_after(n: int, path: str):
    """Goes on only when there is the file; until then it is busy."""
    yield from range(n)
    while not os.path.exists(path):
        pass
    yield "went on"


def wait_in_vain(path: str):
    yield 0
    try:
        _note(path, "busy")
        while True:
            time.sleep(3600)
    finally:
        _note(path, "ended")


def repeat(item: object, n: int):
    for _ in range(n):
        yield item


def mutate(n: int):
    item = {"numbers": []}
    for number in range(n):
        item["numbers"].append(number)
        yield item


def mix():
    yield 1
    yield b"two"
    yield "three \ud800"
    yield {4, 5}
    yield [date(2024, 5, 6)]
    yield "7" * 100_000
    yield 10**30
    yield None


def cannot_send():
    yield 1
    yield {"place": object()}


async def acount(n: int):
    for number in range(n):
        if number % 100 == 0:
            await asyncio.sleep(0)
        yield number


async def anote_end(path: str):
    try:
        while True:
            yield 0
    finally:
        await asyncio.sleep(0)
        _note(path, "ended")


def tell():
    from plughost_app import told

    yield 1
    yield 2
    told()
    yield 3


def look():
    from plughost_app import seen

    return seen()


def _note(path, text):
    with open(path, "w") as file:
        file.write(text)
