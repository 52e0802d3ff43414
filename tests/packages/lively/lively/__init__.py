"""Tools that take their time, and tell by a file how they ended."""

import asyncio
import os
import time
from pathlib import Path

grown = []


def echo(value=None):
    return value


def pid():
    return os.getpid()


def rest(seconds: float, begun: str = "", ended: str = ""):
    """Rest; `begun` is written before, and `ended` however it ends."""
    try:
        _write(begun)
        time.sleep(seconds)
    finally:
        _write(ended)
    return os.getpid()


def rest_until(go: str, begun: str = ""):
    """Rest until that file is there."""
    _write(begun)
    while not os.path.exists(go):
        time.sleep(0.005)
    return os.getpid()


async def arest(seconds: float, begun: str = "", ended: str = ""):
    try:
        _write(begun)
        await asyncio.sleep(seconds)
    finally:
        await asyncio.sleep(0)
        _write(ended)
    return os.getpid()


def count(n: int, ended: str = ""):
    try:
        yield from range(n)
    finally:
        _write(ended)


def grow(mebibytes: int):
    grown.append(bytearray(os.urandom(1)) * (mebibytes << 20))
    return os.getpid()


def boom():
    raise ValueError("boom")


def say(text: str):
    print(text)


def spin(begun: str):
    """Mind no interrupt."""
    _write(begun)
    while True:
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            pass


def _write(path):
    if path:
        Path(path).write_text(str(os.getpid()), encoding="utf-8")
