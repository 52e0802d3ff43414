"""Functions and coroutines of which many run at a time in one process."""

import asyncio
import contextvars
import logging
import os
import threading
import time

MINE = contextvars.ContextVar("mine", default=0)
ENDED = []
GATE = threading.Event()
INSIDE = {"now": 0, "most": 0}
LOCKS = []
WAITING = []


def plughost_tools():
    return [
        echo,
        aecho,
        pid,
        wait,
        aopen,
        await_open,
        waiting,
        open_gate,
        ended,
        own,
        aown,
        alone,
        say,
        asay,
        count,
        acount,
        boom,
        die,
        back,
        aback,
        total,
        atotal,
        left_open,
        size,
        rest_until,
    ]


def echo(value):
    return value


async def aecho(value):
    return value


def size(value):
    return len(value)


def pid():
    return os.getpid()


def wait(begun=""):
    """Until `open_gate` is called."""
    _note(begun)
    return GATE.wait(60)


def open_gate():
    GATE.set()


def rest_until(go, begun):
    """Until that file is there."""
    _note(begun)
    while not os.path.exists(go):
        time.sleep(0.005)


def _note(begun):
    if begun:
        with open(begun, "w", encoding="utf-8") as file:
            file.write("begun")


async def await_open(begun=""):
    """As `wait`, in the event loop."""
    _note(begun)
    WAITING.append(None)
    try:
        while not GATE.is_set():  # noqa: ASYNC110 - a thread sets it
            await asyncio.sleep(0.005)
    except asyncio.CancelledError:
        ENDED.append("await_open")
        raise
    return True


def waiting():
    """How many calls of `await_open` have begun."""
    return len(WAITING)


async def aopen():
    GATE.set()


def ended():
    return list(ENDED)


def own(value):
    """What the context variable was, and what it is while others set it."""
    before = MINE.get()
    MINE.set(value)
    GATE.wait(0.01)
    return [before, MINE.get()]


async def aown(value):
    before = MINE.get()
    MINE.set(value)
    await asyncio.sleep(0.005)
    return [before, MINE.get()]


async def alone():
    """How many were ever inside together."""
    if not LOCKS:
        LOCKS.append(asyncio.Lock())
    async with LOCKS[0]:
        INSIDE["now"] += 1
        INSIDE["most"] = max(INSIDE.values())
        await asyncio.sleep(0)
        INSIDE["now"] -= 1
    return INSIDE["most"]


def say(text):
    for _ in range(3):
        print(text, end="")
        GATE.wait(0.001)
        print("!")
    logging.getLogger("crowded").error("logged %s", text)


async def asay(text):
    for _ in range(3):
        print(text, end="")
        await asyncio.sleep(0)
        print("!")
    logging.getLogger("crowded").error("logged %s", text)


def count(most):
    try:
        yield from range(most)
    finally:
        ENDED.append("count")


async def acount(most):
    try:
        for number in range(most):
            yield number
    finally:
        ENDED.append("acount")


def boom(text):
    raise ValueError(text)


def die():
    os._exit(3)


def back(value):
    from plughost_app import lookup

    return lookup(value)


async def aback(value):
    from plughost_app import lookup

    return lookup(value)


def total(items):
    return sum(items)


async def atotal(items):
    found = 0
    async for item in items:
        found += item
    return found


def left_open():
    return [len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))]
