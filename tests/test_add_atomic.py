"""`add` that is killed, meets a full disk, or is not alone: it is as it was or as it was to be, and nothing is left over."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import plughost
from plughost import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: In the order in which an update does them; beyond `source`, words of the arguments tell which call is meant.
UPDATE = {
    "source": "os.posix_spawn ls-remote",
    "stage": "os.mkdir store/tmp/",
    "fetch": "os.posix_spawn fetch",
    "checkout": "os.posix_spawn checkout",
    "wheel": "os.posix_spawn --wheel",
    "lock": "os.posix_spawn export",
    "kept wheel": "os.rename /kept cache/wheels",
    "venv": "os.posix_spawn --frozen",
    "marker": "open plughost-venv.json .new",
    "marked": "os.rename plughost-venv.json",
    "describe": "os.posix_spawn runner/__main__.py",
    "revision": "open revision/manifest.json",
    "receipt": "open revision/receipt.toml",
    "placing": "os.rename /revision plugins/plughost/echo",
    "pointer": "os.rename /current plugins/plughost/echo/current",
    "clearing up": "os.rmdir 'scratch'",
    "in force": "os.remove placing",
}
FIRST = {
    "venv": "os.posix_spawn --frozen",
    "revision aside": "os.rename /revision /plugin/",
    "pointer aside": "os.rename /current /plugin/",
    "placing": "os.rename /plugin plugins/plughost/echo",
    "clearing up": "os.rmdir 'scratch'",
}
REMOVAL = {
    "placing aside": "os.rename plugins/plughost/echo /trash/",
    "deleting": "os.rmdir /trash/",
    "environment": "os.rename /venvs/ /trash/",
}


def start(host: plughost.Host, *arguments: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "plughost", *arguments]
    environment = {**os.environ, "PLUGHOST_HOME": host.store.root, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def litter(host: plughost.Host) -> list[str]:
    """What nothing refers to: attempts, trash, revisions too many, environments that no plugin has, locks of what is gone."""
    root, plugins = Path(host.store.root), [host.info(summary.name) for summary in host.plugins()]
    kept = {plugin.environment.name for plugin in plugins}
    revisions: set[str] = set()
    for plugin in plugins:
        revisions |= {*registry.read_state(str(plugin.folder.parent)).revisions}
    before = [path for path in root.glob("plugins/*/*/*/manifest.json") if path.parent.name in revisions]
    kept |= {part for path in before for part in path.read_text().split('"') if len(part) == 32}
    found = [path for folder in ("tmp", "trash") for path in root.glob(f"{folder}/*")]
    found += [path for path in root.glob("plugins/*/*/*") if path.name not in {"current", *revisions}]
    found += [path for path in root.glob("venvs/*") if path.name not in kept]
    found += [path for path in root.glob("locks/venv-*") if path.stem.removeprefix("venv-") not in kept]
    return [str(path.relative_to(root)) for path in [*found, *root.glob("index/*.new")]]


@pytest.fixture
def older(host: plughost.Host, git_repository: Callable[..., str]) -> plughost.Host:
    host.add(git_repository("echo", name="older"), entry_points={"add": "echo:add"})
    return host


def assert_older_works(host: plughost.Host) -> None:
    with plughost.Host(store=host.store.root) as fresh:
        assert "older" in [summary.name for summary in fresh.plugins() if not summary.fault]
        assert fresh.info("older").tools
        assert fresh.call("older", "add", a=1) == 3


def test_an_update_that_is_killed_leaves_the_old_revision_or_the_new_one(
    older: plughost.Host, git_repository: Callable[..., str], kill_before: Callable[..., None]
) -> None:
    url = git_repository("echo", version="0.1")
    older.add(url)
    for number, (stage, event) in enumerate(UPDATE.items(), 1):
        git_repository("echo", version=f"{number}.0")
        before = older.info("echo").version
        kill_before(older, event, "add", url)
        assert_older_works(older)
        now = older.info("echo").version
        assert now == (f"{number}.0" if stage in {"in force", "clearing up"} else before), stage
        assert older.call("echo", "add", a=1) == 3, stage
        older.close()  # whose worker would keep the environment from being deleted
        again = older.add(url)
        assert again.version == f"{number}.0", stage
        assert litter(older) == [], stage
        assert older.call("echo", "add", a=1) == 3, stage
    older.remove("echo")
    assert litter(older) == []


def test_a_first_add_that_is_killed_leaves_nothing_or_the_plugin(
    older: plughost.Host, git_repository: Callable[..., str], kill_before: Callable[..., None]
) -> None:
    url = git_repository("echo")
    for stage, event in FIRST.items():
        kill_before(older, event, "add", url)
        assert_older_works(older)
        names = [summary.name for summary in older.plugins()]
        assert names == (["echo", "older"] if stage == "clearing up" else ["older"]), stage
        older.add(url)
        assert older.call("echo", "add", a=1) == 3, stage
        older.remove("echo")
        assert litter(older) == [], stage


def test_a_removal_that_is_killed_leaves_the_plugin_or_nothing(
    older: plughost.Host, git_repository: Callable[..., str], kill_before: Callable[..., None]
) -> None:
    url = git_repository("echo")
    for stage, event in REMOVAL.items():
        older.add(url)
        kill_before(older, event, "remove", "echo")
        assert_older_works(older)
        names = [summary.name for summary in older.plugins()]
        assert names == (["echo", "older"] if stage == "placing aside" else ["older"]), stage
        assert older.add(url).name == "echo"
        assert older.call("echo", "add", a=1) == 3, stage
        older.remove("echo")
        assert litter(older) == [], stage


def test_processes_that_add_remove_list_and_run_at_once_do_not_disturb_each_other(
    older: plughost.Host, git_repository: Callable[..., str]
) -> None:
    urls = [git_repository("echo", name=f"echo-{number}") for number in range(4)]
    same = git_repository("echo")
    adding = [start(older, "add", url) for url in (*urls, same, same, same, same)]
    while any(process.poll() is None for process in adding):
        assert_older_works(older)
        assert not [summary.fault for summary in older.plugins() if summary.fault]
    for process in adding:
        said = process.communicate()[0]
        assert process.returncode == 0, said
    names = ["echo", *(f"echo-{number}" for number in range(4))]
    assert [summary.name for summary in older.plugins()] == [*names, "older"]
    assert [older.call(name, "add", a=1) for name in names] == [3] * 5
    assert litter(older) == []
    assert older.info("echo").history == ()
    older.close()

    mixed = [start(older, *words) for words in (["remove", "echo"], ["add", same], ["add", "--force", same])]
    mixed += [start(older, "remove", name) for name in names[1:] for _ in range(2)]
    for process in mixed:
        said = process.communicate()[0]
        assert process.returncode in {0, plughost.UnknownError.exit_code}, said
    older.add(same)
    assert older.call("echo", "add", a=1) == 3
    older.close()
    older.remove("echo")
    assert [summary.name for summary in older.plugins()] == ["older"]
    assert litter(older) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=16m", "plughost-test", folder]
    if mount is None or subprocess.run([mount, *options], capture_output=True, check=False).returncode:
        pytest.skip("a small disk can't be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def leave_free(disk: Path, free_bytes: int) -> Path:
    state = os.statvfs(disk)
    filler = disk / "filler"
    filler.write_bytes(bytes(max(0, state.f_bavail * state.f_frsize - free_bytes)))
    return filler


def test_a_full_disk_is_one_clear_error_at_each_stage_and_harms_nothing(
    small_disk: Path, uv_cache: Path, git_repository: Callable[..., str]
) -> None:
    store = small_disk / "store"
    (store / "cache").mkdir(parents=True)
    (store / "cache" / "uv").symlink_to(uv_cache, target_is_directory=True)
    url = git_repository("needs-dep")
    with plughost.Host(store=store) as host:
        host.add(git_repository("echo", name="older"), entry_points={"add": "echo:add"})
        host.add(url)
        host.remove("needs-dep")
        stages = set()
        for free in (0, 16 << 10, 96 << 10, 192 << 10, 320 << 10):
            filler = leave_free(small_disk, free)
            with pytest.raises(plughost.InstallError) as caught:
                host.add(url, force=True)
            assert caught.value.reference == "disk-full", str(caught.value)
            assert caught.value.hint.startswith("Free ")
            stages.add(caught.value.message)
            assert_older_works(host)
            filler.unlink()
        assert len(stages) > 1
        assert host.add(url).changed
        assert litter(host) == []
        leave_free(small_disk, 0)
        host.remove("needs-dep")
        assert [summary.name for summary in host.plugins()] == ["older"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_store_that_one_may_not_read_is_one_clear_error(older: plughost.Host, tmp_path: Path) -> None:
    uses = [older.plugins, lambda: older.info("older"), lambda: older.call("older", "add", a=1), lambda: older.remove("weather")]
    for use in uses[:3]:
        use()  # what is imported late must be there before we are somebody else
    with pytest.raises(plughost.UnknownError):
        uses[3]()
    older.close()
    tmp_path.chmod(0o700)
    os.seteuid(65534)
    try:
        for use in uses:
            with pytest.raises(plughost.StoreError) as caught:
                use()
            assert caught.value.message == f"The store at `{older.store.root}` can't be read"
    finally:
        os.seteuid(0)
