"""What `doctor` says of a machine: the programs that installing takes, and the disk that the store is on."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from plughost import _interpreters as interpreters
from plughost.health import examine_machine
from plughost.paths import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: The command in a Python that has no package `uv`.
WITHOUT_UV = "import sys; sys.modules['uv'] = None; from plughost.__main__ import main; main()"


@pytest.fixture
def doctor(tmp_path: Path) -> Callable[[], tuple[int, dict[str, object]]]:
    """`doctor --json` where the only programs are those in `bin`."""
    (tmp_path / "bin").mkdir()

    def run() -> tuple[int, dict[str, object]]:
        environment = {**os.environ, "PATH": str(tmp_path / "bin"), "PYTHONPATH": os.pathsep.join(sys.path)}
        argv = [sys.executable, "-c", WITHOUT_UV, "--store", str(tmp_path / "store"), "doctor", "--json"]
        completed = subprocess.run(argv, env=environment, capture_output=True, check=False)
        return completed.returncode, json.loads(completed.stdout)

    return run


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_machine_without_uv_and_git_is_sound_and_told_what_it_lacks(
    doctor: Callable[[], tuple[int, dict[str, object]]], tmp_path: Path
) -> None:
    returncode, told = doctor()
    assert (returncode, told["faults"], told["plugins"]) == (0, [], [])
    machine = told["machine"]
    assert machine["uv"] == machine["git"] == ""
    assert [note.partition(":")[0] for note in machine["notes"]][:2] == ["There is no uv", "There is no git"]
    assert bool(machine["unenforceable"]) == any("allow-unenforced" in note for note in machine["notes"])
    own = interpreters.own()
    assert own
    assert {"version": own.version, "executable": own.executable} in machine["pythons"]
    assert machine["exists"] is False
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("echo uv 0.4.1", "uv 0.4.1 is too old: plughost needs "),
        ("exit 3", "uv doesn't say its version: plughost needs "),
    ],
)
def test_a_uv_that_is_of_no_use_is_a_fault(
    doctor: Callable[[], tuple[int, dict[str, object]]], tmp_path: Path, said: str, fault: str
) -> None:
    uv = script(tmp_path / "bin" / "uv", said)
    returncode, told = doctor()
    assert returncode == 5
    (found,) = told["faults"]
    assert (found["reference"], found["where"]) == ("uv-missing", str(uv))
    assert found["what"].startswith(fault)


def test_the_disk_is_tried_and_nothing_stays(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    os.mkdir(store.root)
    machine, faults = examine_machine(store)
    assert faults == []
    assert machine.exists
    assert machine.hard_links
    assert machine.free_bytes > 0
    assert machine.git_version
    assert os.listdir(store.root) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize(("mode", "reference"), [(0o755, "store-unwritable"), (0o777, "store-owner")])
def test_a_store_of_somebody_else_is_a_fault(tmp_path: Path, mode: int, reference: str) -> None:
    store = Store(tmp_path / "store")
    os.mkdir(store.root)
    os.chmod(store.root, mode)
    examine_machine(store)  # what is imported late must be there before we are somebody else
    folders = [folder for folder in (tmp_path, *tmp_path.parents) if stat.S_IMODE(folder.stat().st_mode) == 0o700]
    for folder in folders:
        folder.chmod(0o755)
    os.seteuid(65534)
    try:
        _machine, faults = examine_machine(store)
    finally:
        os.seteuid(0)
        for folder in folders:
            folder.chmod(0o700)
    assert reference in {fault.reference for fault in faults}
