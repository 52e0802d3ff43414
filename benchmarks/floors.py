"""What no call can be faster than: bare interpreters that answer over pipes. This file is also what they run.

The raw pipe has no encoding at all; the json-pipe has lines of JSON by the standard library. Both have one `os.read` a message,
as long as it fits into the pipe, and no threads.
"""

from __future__ import annotations

import json
import os
import sys

PIPE_BYTES = 1 << 16  # as much as a pipe holds; a larger buffer for each read only takes time


class Child:
    """A bare interpreter that runs this file."""

    def __init__(self, *arguments: str) -> None:
        import subprocess

        from measure import PYTHON

        self._process = subprocess.Popen(
            [PYTHON, "-I", "-S", __file__, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.requests, self.replies = self._process.stdin.fileno(), self._process.stdout.fileno()

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self) -> None:
        with self._process:
            pass


class RawPipe(Child):
    """A message of `size` bytes there and back."""

    def __init__(self, size: int) -> None:
        super().__init__("raw", str(size))
        self._buffer = bytearray(size)

    def call(self, data: bytes) -> bytes | bytearray:
        if len(data) <= PIPE_BYTES:
            os.write(self.requests, data)
            return os.read(self.replies, PIPE_BYTES)
        write_all(self.requests, data)
        fill(self.replies, self._buffer)
        return self._buffer


class JsonPipe(Child):
    """A value there and back, as a line of JSON."""

    def __init__(self) -> None:
        super().__init__("json")
        self._number = 0

    def call(self, value: object) -> object:
        self._number += 1
        write_all(self.requests, (json.dumps({"id": self._number, "args": [value]}) + "\n").encode())
        return json.loads(read_line(self.replies))["result"]

    def call_anyhow(self, value: object) -> object:
        """As `call`, also for what JSON has no form for: bytes in base64, an array as a list."""
        if isinstance(value, bytes):
            import base64

            return base64.b64decode(str(self.call(base64.b64encode(value).decode())))
        if isinstance(value, str | list | dict):
            return self.call(value)
        import numpy as np

        assert isinstance(value, np.ndarray)
        return np.array(self.call(value.tolist()))


def payload(kind: str, size: int) -> object:
    """A value of about so many bytes: `str`, `bytes`, `float64`, or `nested`, which are records as they come from a database."""
    if kind == "str":
        return "x" * size
    if kind == "bytes":
        return bytes(size)
    if kind == "float64":
        import numpy as np

        return np.random.default_rng(1).random(size // 8)

    def record(number: int) -> object:
        return {"id": number, "name": f"record {number}", "tags": ["a", "b"], "at": {"x": number / 7, "y": None}, "new": True}

    return [record(number) for number in range(size // len(json.dumps(record(1000))))]


def read_line(fd: int) -> bytes:
    data = os.read(fd, PIPE_BYTES)
    if data.endswith(b"\n"):
        return data
    chunks = [data]
    while data and not data.endswith(b"\n"):
        data = os.read(fd, PIPE_BYTES)
        chunks.append(data)
    return b"".join(chunks)


def write_all(fd: int, data: bytes | bytearray) -> None:
    written = os.write(fd, data)
    view = memoryview(data)
    while written < len(data):
        written += os.write(fd, view[written:])


def fill(fd: int, buffer: bytearray) -> bool:
    """Whether the buffer could be filled."""
    view = memoryview(buffer)
    filled = 0
    while filled < len(buffer):
        count = os.readv(fd, [view[filled:]])
        if not count:
            return False
        filled += count
    return True


def echo_raw(size: int) -> None:
    if size <= PIPE_BYTES:
        while data := os.read(0, PIPE_BYTES):
            os.write(1, data)
    buffer = bytearray(size)
    while fill(0, buffer):
        write_all(1, buffer)


def echo_json() -> None:
    while line := read_line(0):
        message = json.loads(line)
        write_all(1, (json.dumps({"id": message["id"], "result": message["args"][0]}) + "\n").encode())


def write_items() -> None:
    while line := read_line(0):
        for number in range(int(line)):
            os.write(1, (json.dumps({"value": number}) + "\n").encode())


if __name__ == "__main__":
    if sys.argv[1] == "raw":
        echo_raw(int(sys.argv[2]))
    elif sys.argv[1] == "json":
        echo_json()
    else:
        write_items()
