"""`gc`: what nothing refers to is listed, and deleted; what somebody has or uses stays."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plughost import Host, registry
from plughost.paths import locked
from plughost.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plughost._gc import Collected

_DAY_S = 86400


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with Host(store=tmp_path_factory.mktemp("gc") / "store", settings=Settings(keep_revisions=2)) as host:
        yield host


@pytest.fixture
def host(shared: Host, session_repository: Callable[..., str]) -> Host:
    """It has a cache of its own, and one plugin, whatever the test before has done."""
    if not os.path.isdir(shared.store.plugins) or os.listdir(shared.store.plugins) != ["echo"] or shared.diagnose("echo"):
        shutil.rmtree(shared.store.plugins, ignore_errors=True)
        shared.add(session_repository("echo"))
    shared.close()
    shared.collect_garbage()
    return shared


def kinds(collected: Collected) -> list[str]:
    return sorted(one.kind for one in collected.leftovers)


def litter(host: Host) -> dict[str, Path]:
    """One thing of each kind that may go; each is one MiB large."""
    store = host.store
    aside = time.strftime("%Y%m%dT%H%M%S", time.gmtime(time.time() - 31 * _DAY_S))
    places = {
        "attempt": Path(store.tmp, "0123"),
        "trash": Path(store.trash, "4567"),
        "revision": Path(store.plugin("echo"), "0.1-0000000-00000000"),
        "environment": Path(store.venvs, "unused"),
        "set aside": Path(store.set_aside, f"{aside}-echo-00000000"),
        "log": Path(store.logs, "echo-20250102T030405-77.log"),
        "kept wheel": Path(store.kept_wheels, "89ab"),
        "build environment": Path(store.build_environments, "cdef"),
        "half-written": Path(store.uv_cache, ".tmpAbCdEf"),
    }
    for kind, path in places.items():
        file = path if kind == "log" else path / "file"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes(1 << 20))
        if kind in {"log", "kept wheel"}:
            long_ago = time.time() - 31 * _DAY_S
            os.utime(path, (long_ago, long_ago))
    return places


def test_a_dry_run_lists_each_with_its_size_and_deletes_nothing(host: Host) -> None:
    places = litter(host)
    listed = host.collect_garbage(dry_run=True)
    assert kinds(listed) == sorted(places)
    assert {one.size_bytes for one in listed.leftovers} == {1 << 20}
    assert all(path.exists() for path in places.values())
    collected = host.collect_garbage()
    assert kinds(collected) == sorted(places)
    assert collected.freed_bytes == listed.freed_bytes == len(places) << 20
    assert not any(path.exists() for path in places.values())
    assert host.collect_garbage().leftovers == ()
    assert host.call("echo", "add", a=1) == 3


def test_what_is_not_past_its_time_stays(host: Host) -> None:
    aside = registry.set_aside(host.store, [Path(host.info("echo").folder, "pylock.toml")], name="echo")
    log = Path(host.store.logs, "echo-20250102T030405-77.log")
    log.parent.mkdir(exist_ok=True)
    log.touch()
    assert host.collect_garbage().leftovers == ()
    assert log.exists()
    assert os.listdir(aside) == ["pylock.toml"]
    assert os.listdir(host.store.kept_wheels)


def test_revisions_beyond_those_that_are_kept_go_with_their_environments(host: Host, git_repository: Callable[..., str]) -> None:
    host.remove("echo")
    for version in ("1.0", "2.0", "3.0"):
        host.add(git_repository("echo", version=version))
    assert len(list(Path(host.store.venvs).iterdir())) == 2
    with Host(store=host.store.root, settings=Settings(keep_revisions=1)) as strict:
        listed = strict.collect_garbage(dry_run=True)
        assert {"environment", "revision"} <= set(kinds(listed))
        assert host.info("echo").version == "3.0"
        host.close()
        strict.collect_garbage()
    assert registry.read_state(host.store.plugin("echo")).before == ()
    assert [path.name for path in Path(host.store.venvs).iterdir()] == [host.info("echo").environment.name]
    assert host.call("echo", "add", a=1) == 3


def test_an_environment_that_a_worker_uses_stays_until_it_has_ended(host: Host) -> None:
    items = host.stream("echo", "countdown", 2)
    assert next(items) == 2
    shutil.move(host.store.plugin("echo"), Path(host.store.root, "elsewhere"))
    collected = host.collect_garbage()
    assert [one.kind for one in collected.left] == ["environment"]
    assert list(items) == [1]
    host.close()
    assert "environment" in kinds(host.collect_garbage())
    assert os.listdir(host.store.venvs) == []
    shutil.rmtree(Path(host.store.root, "elsewhere"))


def test_packages_that_no_plugin_has_go_from_the_cache(host: Host, git_repository: Callable[..., str]) -> None:
    host.add(git_repository("needs-dep"))
    shutil.rmtree(host.store.kept_wheels)
    assert "cached package" not in kinds(host.collect_garbage())
    shutil.rmtree(host.store.plugin("needs-dep"))
    listed = host.collect_garbage(dry_run=True)
    assert kinds(listed) == ["environment"]  # whose files are those of the cache
    collected = host.collect_garbage()
    assert kinds(collected) == ["cached package", "cached package", "environment"]
    archives = [path.name for path in Path(host.store.uv_cache).glob("archive-v*/*/*")]
    assert "idna" not in archives
    assert "echo" in archives


def test_where_the_state_of_a_plugin_is_lost_none_of_its_revisions_goes(host: Host, git_repository: Callable[..., str]) -> None:
    host.add(git_repository("echo", version="2.0"), force=True)
    folder = Path(host.store.plugin("echo"))
    there = sorted(os.listdir(folder))
    for content in (b"\xff", b"nowhere\n"):
        (folder / "current").write_bytes(content)
        assert host.collect_garbage().leftovers == ()
        assert sorted(os.listdir(folder)) == there


def test_the_environment_of_a_damaged_manifest_stays(host: Host) -> None:
    environment = host.info("echo").environment
    (host.info("echo").folder / "manifest.json").write_bytes(b"garbage")
    host.collect_garbage()
    assert environment.exists()


def test_while_somebody_adds_it_says_so_and_leaves_it_to_them(host: Host) -> None:
    litter(host)
    with locked(host.store.lock("adding"), shared=True):
        collected = host.collect_garbage()
    assert (collected.busy, collected.leftovers) == (True, ())
    assert len(host.collect_garbage().leftovers) == 9


def test_the_command_says_what_it_frees(host: Host, plughost_command: Callable[..., object]) -> None:
    store = host.store.root
    litter(host)
    listed = plughost_command("--store", store, "gc", "--dry-run")
    assert listed.stdout.count("1.0 MiB") == 9
    assert listed.stdout.endswith("9.0 MiB would be freed\n")
    assert plughost_command("--store", store, "gc").stdout == "Deleted 9 things (9.0 MiB freed)\n"
    assert plughost_command("--store", store, "gc", "--json").json() == {
        "dry_run": False,
        "busy": False,
        "freed_bytes": 0,
        "leftovers": [],
        "left": [],
    }
