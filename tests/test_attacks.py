"""A plugin that tries to get out in nearly three hundred ways, kept in by different means: what came of it outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from plughost import Host
from plughost.errors import LimitExceeded
from plughost.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[1]
PROGRAM = Path(__file__).parent / "attacks.py"
#: Where this Python imports from, plughost first, for one that may be another.
IMPORTED_FROM = os.pathsep.join([str(ROOT / "host"), *filter(None, sys.path)])
TRIED_WITHIN_S = 220
SOMEBODY = 12345
#: What a plugin may learn where it has no tree of files of its own, which takes somebody's leave.
TOLD = {f"files.tell_by_{way}" for way in ("access", "entering", "link", "opening_as_path", "space", "stat")}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps all of a policy")


class Trial:
    """A run of the program, under way."""

    def __init__(self, folder: Path, *options: str, python: str = sys.executable, user: int | None = None) -> None:
        self.folder = folder
        if user is not None:
            os.chown(folder, user, user)
        self.process = subprocess.Popen(
            [python, str(PROGRAM), str(folder), *options],
            env={**os.environ, "PYTHONPATH": IMPORTED_FROM},
            stdout=subprocess.PIPE,
            text=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            cwd=folder,
        )

    def results(self) -> dict[str, dict[str, object]]:
        output, _ = self.process.communicate(timeout=TRIED_WITHIN_S)
        assert self.process.returncode == 0
        return json.loads(output)


def python_of(user: int) -> str | None:
    """Ours, or the system's, if that user can have it run the program."""
    for python in (os.path.realpath(sys.executable), "/usr/bin/python3"):
        argv = [python, str(PROGRAM), "--help"]
        try:
            subprocess.run(
                argv,
                env={"PYTHONPATH": IMPORTED_FROM},
                user=user,
                group=user,
                extra_groups=[],
                capture_output=True,
                check=True,
                cwd="/",
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    return None


def only(*patterns: str) -> list[str]:
    return [part for pattern in patterns for part in ("--only", pattern)]


def got_through(results: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    results = {name: result for name, result in results.items() if name != "places"}
    return {name: result for name, result in results.items() if result["seen"] or str(result["answer"]).startswith("got")}


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[..., Trial]]:
    """`start(*options)` begins to try everything, in a folder that any user can reach."""
    with tempfile.TemporaryDirectory(prefix="attacks-", ignore_cleanup_errors=True) as root:
        Path(root).chmod(0o755)
        trials: list[Trial] = []

        def begin(*options: str, folder: Path | None = None, **how: Any) -> Trial:
            folder = folder or Path(root) / str(len(trials))
            folder.mkdir(exist_ok=True)
            trials.append(Trial(folder, *options, **how))
            return trials[-1]

        yield begin
        for trial in trials:
            trial.process.kill()
            trial.process.communicate()


@pytest.fixture(scope="module")
def as_somebody(start: Callable[..., Trial]) -> Trial | None:
    """Begins before the first test, beside which it runs: most of the time both wait for limits."""
    python = python_of(SOMEBODY) if os.geteuid() == 0 else None
    return python and start(*only("[!s]*", "start.*", "starting.*"), python=python, user=SOMEBODY)


@pytest.mark.usefixtures("as_somebody")
def test_whatever_a_plugin_tries_it_gets_nothing(start: Callable[..., Trial]) -> None:
    trial = start()
    results = trial.results()
    assert got_through(results) == {}
    assert len(results) > 250
    assert "path file" in str(results["places"]["answer"])  # what is tried at the start was tried
    assert list((trial.folder / "store" / "work").iterdir()) == []


def test_nor_does_it_where_the_host_is_not_root(as_somebody: Trial | None) -> None:
    if not as_somebody:
        pytest.skip("there is no Python that another user can run, or this user can't be another")
    results = as_somebody.results()
    assert got_through(results) == {}
    assert len(results) > 250
    assert list((as_somebody.folder / "store" / "work").iterdir()) == []


def test_without_namespaces_a_call_is_refused_unless_names_of_files_may_be_told(start: Callable[..., Trial]) -> None:
    refused = start("--without-namespaces")
    options = only("network.*", "files.*", "processes.*", "rights.*", "inherited.*", "start*")
    waived = start("--without-namespaces", "--allow-unenforced", "file-names", *options)
    message, cause = refused.results()["refused"]["seen"]
    assert message == "`other` is not started: its policy can't be enforced on this machine"
    assert cause.startswith("`file-names`")
    results = waived.results()
    assert set(got_through(results)) <= TOLD
    assert len(results) > 200


def test_where_nothing_is_confined_the_same_attempts_get_through(start: Callable[..., Trial]) -> None:
    results = start("--trusted", *only("network.*", "files.[rtw]*", "processes.*")).results()
    through = Counter(name.partition(".")[0] for name in got_through(results))
    least = {"network": 15, "files": 35, "processes": 30}
    assert {module for module, count in least.items() if through[module] < count} == set()


@pytest.fixture(scope="module")
def installed(start: Callable[..., Trial]) -> Path:
    """A folder in whose store the plugin is, and in which nothing was tried yet."""
    trial = start(*only("nothing"))
    assert "refused" not in trial.results()
    return trial.folder


@pytest.mark.usefixtures("confined")
@pytest.mark.parametrize(
    ("attempt", "granted"),
    [
        ("connections_nobody_accepts", {"processes": 4}),
        ("connections_over_loopback_nobody_accepts", {"network": ["localhost:1"]}),
    ],
)
def test_connections_that_nobody_accepts_count_as_memory(installed: Path, attempt: str, granted: dict[str, Any]) -> None:
    policy = Policy(memory_bytes=96 << 20, open_files=128, wall_s=20, **granted)
    with Host(store=installed / "store", policy=policy) as host, pytest.raises(LimitExceeded) as caught:
        host.call("attacker", "attempt", f"memory.{attempt}")
    assert caught.value.limit == "memory_bytes"


@pytest.mark.parametrize("processes", [1, 4])
def test_a_plugin_that_lets_go_of_its_lifeline_ends_with_its_host_and_so_does_all_that_it_started(
    start: Callable[..., Trial], installed: Path, is_gone: Callable[[int], bool], processes: int
) -> None:
    trial = start("--outlive", "--policy", json.dumps({"processes": processes}), folder=installed)
    assert trial.process.stdout is not None
    worker, started = trial.process.stdout.readline().split()
    assert (started == "nothing") == (processes == 1)
    left = [int(worker)] if processes == 1 else [int(worker), int(started)]
    for pid in left:
        os.kill(pid, 0)
    os.kill(trial.process.pid, signal.SIGKILL)
    assert all(is_gone(pid) for pid in left)
