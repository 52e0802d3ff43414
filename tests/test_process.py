"""Children: what they inherit, how they end, and that none outlives its host."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plughost import _process

if TYPE_CHECKING:
    from collections.abc import Callable

ENVIRONMENT = {"PATH": os.defpath}
SOURCE = str(Path(_process.__file__).parents[1])


def shell(script: str, **options):
    return _process.run(["/bin/sh", "-c", script], env=ENVIRONMENT, **options)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def test_a_program_is_fed_and_heard_whatever_the_sizes() -> None:
    data = os.urandom(3_000_000).hex().encode()
    completed = _process.run(["/bin/cat"], env=ENVIRONMENT, input=data)
    assert (completed.returncode, completed.stdout, completed.stderr) == (0, data.decode(), "")


def test_a_program_that_does_not_read_its_input_is_no_error() -> None:
    assert shell("exit 3", input=b"x" * 1_000_000).returncode == 3


def test_the_end_of_the_program_counts_and_not_that_of_who_holds_its_pipes() -> None:
    completed = shell("sleep 1000 & echo started; exit 4")
    assert (completed.returncode, completed.stdout) == (4, "started\n")


def test_what_a_program_leaves_in_its_group_is_killed_when_it_ends(is_gone: Callable[[int], bool]) -> None:
    pid = int(shell("sleep 1000 >/dev/null 2>&1 & echo $!").stdout)
    assert is_gone(pid)


def test_a_timeout_kills_the_whole_tree_also_what_left_the_group(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    script = f"setsid sh -c 'echo $$ >>{note}; exec sleep 1000' & sleep 1000 & echo $! >>{note}; wait"
    with pytest.raises(TimeoutError, match=r"`sh` took longer than 1 s"):
        shell(script, timeout_s=1)
    pids = [int(line) for line in note.read_text().split()]
    assert len(pids) == 2
    assert not any(is_alive(pid) for pid in pids)


def test_a_child_sees_only_the_environment_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    monkeypatch.setenv("LC_TIME", "C")
    environment = _process.base_environment({"EXTRA": "yes"})
    listed = _process.run(["/usr/bin/env"], env=environment).stdout
    assert "hunter2" not in listed
    assert "EXTRA=yes" in listed
    assert "LC_TIME=C" in listed


def test_a_child_inherits_no_file_that_the_host_has_open(tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w"):
        listed = _process.run(["/bin/ls", "-l", "/proc/self/fd"], env=ENVIRONMENT).stdout
    assert "3 -> pipe:" in listed
    assert "secret" not in listed


@pytest.mark.parametrize("number", [3, 4, 40])
def test_a_kept_descriptor_is_kept_whatever_its_number(number: int, tmp_path: Path) -> None:
    """As the lock is that an installer holds on to; in a process with nothing else open, that one has number 3."""
    (tmp_path / "kept").write_text("kept")
    reader = f"import os; print(os.read({number}, 9))"
    program = (
        "import os, sys; from plughost import _process; "
        f"os.dup2(os.open({str(tmp_path / 'kept')!r}, os.O_RDONLY), {number}); "
        f"print(_process.run([sys.executable, '-I', '-c', {reader!r}], env={{}}, keep=[{number}], timeout_s=30).stdout)"
    )
    assert "b'kept'" in subprocess.check_output([sys.executable, "-c", program], text=True)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
@pytest.mark.parametrize("busy", ["while True: pass", "import ctypes; ctypes.PyDLL(None).sleep(1000)"])
def test_when_the_host_is_killed_a_busy_child_and_its_children_go_with_it(
    busy: str, tmp_path: Path, is_gone: Callable[[int], bool]
) -> None:
    note = tmp_path / "pids"
    child = f"import os; os.fork(); open({str(note)!r}, 'a').write(f'{{os.getpid()}}\\n')\n{busy}"
    program = (
        f"import sys, time; sys.path.insert(0, {SOURCE!r})\n"
        "from plughost import _process\n"
        f"_process.spawn([{sys.executable!r}, '-I', '-c', {child!r}], env={{}})\n"
        "print('spawned', flush=True)\n"
        "time.sleep(1000)\n"
    )
    r, w = os.pipe()
    pid = os.posix_spawn(
        sys.executable, [sys.executable, "-c", program], dict(os.environ), file_actions=[(os.POSIX_SPAWN_DUP2, w, 1)]
    )
    os.close(w)
    with open(r) as said:
        assert said.readline() == "spawned\n"
    while not note.exists() or note.read_text().count("\n") < 2:
        select.select([], [], [], 0.01)
    children = [int(line) for line in note.read_text().split()]
    assert all(is_alive(child) for child in children)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    for number in children:
        assert is_gone(number)


def test_a_program_is_found_past_the_shims_of_a_version_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("shims", "bin"):
        (tmp_path / folder).mkdir()
        program = tmp_path / folder / "tool"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'shims'}:{tmp_path / 'bin'}")
    assert _process.find_program("tool") == str(tmp_path / "bin" / "tool")
    assert _process.find_program("no-such-tool") is None


def test_a_program_has_no_terminal_to_ask_for_a_password_on():
    question = "import os; print(os.getsid(0) == os.getpgid(0) == os.getpid())"
    assert _process.run([sys.executable, "-c", question], env=_process.base_environment()).stdout.strip() == "True"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_children_share_a_lifeline_and_one_that_ends_takes_none_along() -> None:
    before = len(os.listdir("/proc/self/fd"))
    children = [_process.spawn(["/bin/sleep", "1000"], env=ENVIRONMENT) for _ in range(5)]
    assert len(os.listdir("/proc/self/fd")) - before <= len(children) + 2, "a pidfd each, and the one pipe"
    children[0].kill_tree()
    assert all(child.wait(0.05) is None for child in children[1:])
    for child in children[1:]:
        child.kill_tree()
    assert len(os.listdir("/proc/self/fd")) - before <= 2


@pytest.mark.parametrize("number", [3, 4, 40])
def test_a_lock_that_a_child_holds_has_its_place_there_whatever_its_number_here(number: int, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    program = (
        "import os, sys; from plughost import _process; "
        f"os.dup2(os.open({str(tmp_path / 'kept')!r}, os.O_RDONLY), {number}); "
        "r, w = _process.pipe(); "
        f"_process.spawn([sys.executable, '-I', '-c', 'import os; print(os.read(4, 9))'], env={{}}, stdout=w,"
        f" held=_process.raised({number})).wait(30); "
        "print(os.read(r, 100))"
    )
    assert "kept" in subprocess.check_output([sys.executable, "-c", program], text=True)
