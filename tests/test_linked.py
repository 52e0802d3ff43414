"""What is read of a program: where it says that its libraries are."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from plughost.sandbox._linked import own_libraries

if TYPE_CHECKING:
    from pathlib import Path

RPATH, RUNPATH, STRINGS = 15, 29, 5
AT, ADDRESS = 64 + 2 * 56, 0x400000


def program(folders: str, tag: int) -> bytes:
    """The head, two segments and the dynamic part of one that is loaded at `ADDRESS`."""
    dynamic = struct.pack("<qQqQqQ", STRINGS, ADDRESS + AT + 48, tag, 1, 0, 0)
    content = dynamic + b"\0" + folders.encode() + b"\0"
    head = struct.pack("<16s2HI3QI6H", b"\x7fELF\x02\x01\x01", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    loaded = struct.pack("<2I6Q", 1, 4, 0, ADDRESS, ADDRESS, AT + len(content), AT + len(content), 4096)
    return head + loaded + struct.pack("<2I6Q", 2, 4, AT, ADDRESS + AT, ADDRESS + AT, 48, 48, 8) + content


@pytest.mark.parametrize("tag", [RPATH, RUNPATH])
def test_a_program_names_the_folders_of_its_libraries(tmp_path: Path, tag: int) -> None:
    built = tmp_path / "built"
    built.mkdir()
    for name in ("libpython3.so", "libpython3.12.so.1.0", "libother.so"):
        (built / name).touch()
    (tmp_path / "python").write_bytes(program(f"$ORIGIN/../lib:{built}:{tmp_path / 'gone'}", tag))
    assert sorted(own_libraries(str(tmp_path / "python"))) == [str(built / "libpython3.12.so.1.0"), str(built / "libpython3.so")]


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh", b"\x7fELF\x02\x01", program("/", RUNPATH)[:100]])
def test_what_is_no_such_program_names_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "python").write_bytes(content)
    assert own_libraries(str(tmp_path / "python")) == []
