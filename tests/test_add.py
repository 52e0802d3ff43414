"""`add`, from a source string to a receipt, with real repositories, wheels and environments."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import plughost
from plughost._request import Request, find_unchanged

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGES = Path(__file__).parent / "packages"


def files_of(host: plughost.Host) -> set[str]:
    """What is in the store but for its cache, its index, its records of calls and its (empty) locks."""
    root = Path(host.store.root)
    return {
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.relative_to(root).parts[0] not in {"cache", "index", "journal", "locks"} and not path.is_dir()
    }


def test_what_is_installed_is_recorded_to_the_commit_and_the_hash(
    host: plughost.Host, git_repository: Callable[..., str]
) -> None:
    url = git_repository("needs-dep")
    added = host.add(url)
    record = added.plugin.record()
    assert (added.name, added.version, added.changed) == ("needs-dep", "1.0", True)
    assert record["direct_url"] == {
        "url": url.removeprefix("git+"),
        "vcs_info": {"vcs": "git", "commit_id": added.commit_id},
    }
    assert record["dependencies"] == [{"name": "idna", "version": "3.7"}]
    lock = tomllib.loads(Path(record["lock"]["path"]).read_text())
    assert lock["lock-version"] == "1.0"
    assert {package["name"] for package in lock["packages"]} == {"idna", "needs-dep"}
    wheels = {package["name"]: package["wheels"] for package in lock["packages"] if "wheels" in package}
    assert all(file["hashes"]["sha256"] for files in wheels.values() for file in files)
    assert record["wheel"]["sha256"] in Path(record["lock"]["path"]).read_text()
    beside = sorted(path.name for path in Path(record["receipt"]).parent.iterdir())
    assert beside == ["manifest.json", "needs_dep-1.0-py3-none-any.whl", "pylock.toml", "receipt.toml", "uv.lock"]


def test_plugins_whose_dependencies_conflict_work_side_by_side(host: plughost.Host, git_repository: Callable[..., str]) -> None:
    for package in ("needs-dep", "needs-dep-other"):
        host.add(git_repository(package))
    assert host.call("needs-dep", "version") == "3.7"
    assert host.call("needs-dep-other", "version") == "3.4"


def test_the_same_commit_again_changes_nothing(host: plughost.Host, git_repository: Callable[..., str]) -> None:
    url = git_repository("echo")
    host.add(url)
    before = files_of(host)
    again = host.add(url)
    assert not again.changed
    assert files_of(host) == before


def test_the_same_commit_with_other_options_is_another_installation(
    host: plughost.Host, git_repository: Callable[..., str]
) -> None:
    url = git_repository("echo")
    host.add(url)
    added = host.add(url, with_=["idna==3.4"])
    assert added.changed
    assert ("idna", "3.4") in added.plugin.dependencies
    assert not host.add(url, with_=["idna==3.4"]).changed


def test_force_builds_anew_and_keeps_the_history(host: plughost.Host, git_repository: Callable[..., str]) -> None:
    url = git_repository("echo")
    first = host.add(url).plugin
    second = host.add(url, force=True)
    assert second.changed
    assert second.plugin.environment != first.environment
    assert [entry.revision for entry in second.plugin.history] == [first.receipt.revision]
    assert host.call("echo", "add", a=1) == 3


def test_force_mends_a_damaged_environment(host: plughost.Host, git_repository: Callable[..., str]) -> None:
    url = git_repository("echo")
    shutil.rmtree(host.add(url).plugin.environment)
    with pytest.raises(plughost.StoreError) as caught:
        host.call("echo", "add", a=1)
    assert caught.value.reference == "venv-missing"
    assert host.add(url, force=True).changed
    assert host.call("echo", "add", a=1) == 3


def test_an_environment_that_is_gone_is_made_again_without_being_asked_for(
    host: plughost.Host, git_repository: Callable[..., str]
) -> None:
    url = git_repository("echo")
    shutil.rmtree(host.add(url).plugin.environment)
    assert host.add(url).changed
    assert host.call("echo", "add", a=1) == 3


def test_a_new_commit_of_the_same_repository_takes_the_place_of_the_old(
    host: plughost.Host, git_repository: Callable[..., str]
) -> None:
    first = host.add(git_repository("echo"))
    assert host.call("echo", "add", a=1) == 3
    second = host.add(git_repository("echo", version="2.0"))
    assert (second.changed, second.version) == (True, "2.0")
    assert second.commit_id != first.commit_id
    assert host.call("echo", "add", a=1) == 3
    assert [entry.version for entry in host.info("echo").history] == ["1.0"]


def test_a_sixth_revision_drops_the_first_with_its_environment(host: plughost.Host, git_repository: Callable[..., str]) -> None:
    for version in range(1, 7):
        host.add(git_repository("echo", version=f"{version}.0"))
    revisions = [path.name[:3] for path in Path(host.store.plugin("echo")).iterdir() if path.is_dir()]
    assert sorted(revisions) == ["2.0", "3.0", "4.0", "5.0", "6.0"]
    assert len(list(Path(host.store.venvs).iterdir())) == 5


def test_another_repository_under_the_same_name_is_refused(host: plughost.Host, git_repository: Callable[..., str]) -> None:
    url = git_repository("echo")
    host.add(url)
    with pytest.raises(plughost.UsageError) as caught:
        host.add(str(PACKAGES / "echo"))
    assert str(caught.value) == (
        "`echo` is installed already, from another source\n"
        f"  Caused by: It came from `{url}`\n"
        "\n"
        "hint: `--name OTHER` installs this one beside it, `--force` puts it in its place"
    )
    assert caught.value.exit_code == 2
    assert host.info("echo").receipt.source == url
    host.add(str(PACKAGES / "echo"), name="other")
    assert [summary.name for summary in host.plugins()] == ["echo", "other"]
    assert host.add(str(PACKAGES / "echo"), force=True).changed


@pytest.mark.parametrize("source", ["folder", "wheel", "sdist"])
def test_a_folder_a_wheel_and_an_sdist_are_added_alike(host: plughost.Host, tmp_path: Path, source: str) -> None:
    path = PACKAGES / "echo"
    if source != "folder":
        copy = shutil.copytree(path, tmp_path / "echo")
        uv = [sys.executable, "-m", "uv", "build", "-q", f"--{source}", "-o", str(tmp_path / "dist"), str(copy)]
        subprocess.run(uv, check=True)
        path = next((tmp_path / "dist").glob("*.whl" if source == "wheel" else "*.tar.gz"))
    added = host.add(str(path))
    assert added.plugin.receipt.kind == source
    assert host.call("echo", "add", a=1) == 3
    assert not host.add(str(path)).changed


def test_a_requirement_comes_from_the_index(host: plughost.Host) -> None:
    added = host.add("idna==3.7", entry_points={"encode": "idna:encode"})
    assert (added.name, added.version) == ("idna", "3.7")
    assert host.call("idna", s="bücher.example") == b"xn--bcher-kva.example"
    assert not host.add("idna==3.7", entry_points={"encode": "idna:encode"}).changed
    assert host.add("idna==3.4", entry_points={"encode": "idna:encode"}).version == "3.4"


def test_an_editable_plugin_follows_its_folder(host: plughost.Host, tmp_path: Path) -> None:
    folder = shutil.copytree(PACKAGES / "echo", tmp_path / "echo")
    host.add(str(folder), editable=True)
    assert host.call("echo", "add", a=1) == 3
    module = folder / "echo" / "__init__.py"
    module.write_text(module.read_text() + "\ndef added(c: int) -> int:\n    return c + 1\nadd = added\n")
    assert host.call("echo", "add", c=1) == 2


def test_entry_points_can_be_named_for_a_package_that_declares_none(
    host: plughost.Host, git_repository: Callable[..., str]
) -> None:
    url = git_repository("no-entry-point")
    with pytest.raises(plughost.BuildError) as caught:
        host.add(url)
    assert caught.value.reference == "entry-points-missing"
    assert caught.value.hint == "Name what to call: `--entry-point no-entry-point=no_entry_point:FUNCTION`"
    function = next(
        line.split()[1].partition("(")[0]
        for line in (PACKAGES / "no-entry-point/no_entry_point/__init__.py").read_text().splitlines()
        if line.startswith("def ")
    )
    host.add(url, entry_points={"it": f"no_entry_point:{function}"})
    assert [tool["name"] for tool in host.info("no-entry-point").tools] == ["it"]


def test_a_plugin_that_does_not_import_leaves_what_was_there(
    host: plughost.Host, git_repository: Callable[..., str], tmp_path: Path
) -> None:
    url = git_repository("echo")
    host.add(url)
    before = files_of(host)
    package = tmp_path / "repositories" / "echo"
    (package / "echo" / "__init__.py").write_text("import no_such_module\n")
    subprocess.run(["git", "-C", package, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qam", "break it"], check=True)
    with pytest.raises(plughost.DescribeError) as caught:
        host.add(url)
    assert caught.value.reference == "plugin-import-failed"
    assert "No module named 'no_such_module'" in str(caught.value)
    assert "no_such_module" in Path(caught.value.log).read_text()
    assert host.call("echo", "add", a=1) == 3
    left = {name for name in files_of(host) - before if not name.startswith(("logs", "venvs"))}
    assert left == set()


def test_dependencies_that_conflict_are_one_clear_error(host: plughost.Host, git_repository: Callable[..., str]) -> None:
    with pytest.raises(plughost.ResolveError) as caught:
        host.add(git_repository("needs-dep"), with_=["idna==3.4"])
    assert caught.value.reference == "resolution-conflict"
    assert "idna" in "".join(caught.value.causes)
    assert caught.value.exit_code == 5
    assert Path(caught.value.log).is_file()
    assert host.plugins() == []


def test_a_python_that_is_not_there_is_named(host: plughost.Host, git_repository: Callable[..., str]) -> None:
    url = git_repository("echo", requires_python=">=3.99")
    with pytest.raises(plughost.ResolveError) as caught:
        host.add(url)
    assert caught.value.reference == "python-missing"
    assert caught.value.message == "There is no Python `>=3.99` on this machine"


def other_pythons() -> list[str]:
    from plughost import _interpreters
    from plughost.errors import ResolveError

    found = []
    for series in ("3.8", "3.9", "3.13"):
        try:
            found.append(_interpreters.find(requested=series).series)
        except ResolveError:
            continue
    return found


@pytest.mark.parametrize("series", ["3.8", "3.9", "3.13"])
def test_the_wheel_chooses_the_interpreter(host: plughost.Host, git_repository: Callable[..., str], series: str) -> None:
    if series not in other_pythons():
        pytest.skip(f"no Python {series} on this machine")
    url = git_repository("echo", name=f"echo-{series.replace('.', '-')}", requires_python=f"=={series}.*")
    name = host.add(url, entry_points={}).name
    context = host.call(name, "context")
    assert isinstance(context, dict)
    assert ".".join(map(str, context["version"][:2])) == series


def test_a_plugin_sees_its_environment_and_nothing_of_the_host(
    shared_host: plughost.Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    with plughost.Host(store=shared_host.store.root) as host:
        seen = host.call("echo", "context")
        passed = host.invoke("echo", "context", env={"SECRET_TOKEN": "given"}).result
    assert isinstance(seen, dict)
    assert isinstance(passed, dict)
    assert "SECRET_TOKEN" not in seen["environment"]
    assert "PYTHONPATH" not in seen["environment"]
    assert passed["environment"]["SECRET_TOKEN"] == "given"
    environment = str(host.info("echo").environment)
    outside = [path for path in seen["path"] if "site-packages" in path and not path.startswith(environment)]
    assert outside == []
    assert seen["prefix"] == environment


def test_remove_leaves_nothing_that_only_that_plugin_used(host: plughost.Host, git_repository: Callable[..., str]) -> None:
    host.add(git_repository("echo"))
    before = files_of(host)
    host.add(git_repository("needs-dep"))
    host.call("needs-dep", "version")
    removed = host.remove("needs-dep")
    assert removed.name == "needs-dep"
    assert removed.freed_bytes > 10_000
    assert files_of(host) == before
    assert host.call("echo", "add", a=1) == 3
    with pytest.raises(plughost.UnknownError):
        host.remove("needs-dep")


@pytest.mark.parametrize("damage", ["receipt.toml", "manifest.json", "pylock.toml", "current", "everything"])
def test_remove_refuses_nothing_that_is_broken(host: plughost.Host, git_repository: Callable[..., str], damage: str) -> None:
    plugin = host.add(git_repository("echo")).plugin
    if damage == "everything":
        for path in plugin.folder.iterdir():
            path.write_bytes(b"\xff\x00")
    elif damage == "current":
        (plugin.folder.parent / "current").write_bytes(b"../../x")
    else:
        (plugin.folder / damage).write_text("nonsense")
    assert [summary.name for summary in host.plugins()] == ["echo"]
    if damage != "pylock.toml":
        assert host.plugins()[0].fault
    host.remove("echo")
    assert host.plugins() == []
    assert files_of(host) == set()


@pytest.mark.parametrize("name", ["../../x", "a/b", "", "-x", "x" * 200, "naïve"])
def test_a_name_never_leads_out_of_the_store(host: plughost.Host, name: str) -> None:
    for use in (host.info, host.remove, host.call):
        with pytest.raises(plughost.UsageError) as caught:
            use(name)
        assert caught.value.reference == "name-invalid"
    if name:
        with pytest.raises(plughost.UsageError):
            host.add(str(PACKAGES / "echo"), name=name)


def test_pip_and_virtualenv_do_the_same(host: plughost.Host, git_repository: Callable[..., str]) -> None:
    url = git_repository("needs-dep")
    by_uv = host.add(url).plugin.record()
    by_pip = host.add(url, installer="pip", name="by-pip").plugin.record()
    assert host.call("by-pip", "version") == "3.7"
    for key in ("dependencies", "tools", "direct_url", "entry_points"):
        assert by_pip[key] == by_uv[key]
    locks = [tomllib.loads(Path(record["lock"]["path"]).read_text()) for record in (by_uv, by_pip)]
    hashes = [
        {file["hashes"]["sha256"] for package in lock["packages"] if package["name"] == "idna" for file in package["wheels"]}
        for lock in locks
    ]
    assert hashes[1] <= hashes[0]
    assert hashes[1]


def test_a_store_that_cannot_be_written_is_one_clear_error(tmp_path: Path, git_repository: Callable[..., str]) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with plughost.Host(store=blocked / "store") as host, pytest.raises(plughost.StoreError) as caught:
        host.add(git_repository("echo"))
    assert caught.value.reference == "store-unwritable"
    assert caught.value.exit_code == 6


def test_listing_starts_and_imports_nothing(host: plughost.Host, git_repository: Callable[..., str]) -> None:
    host.add(git_repository("echo"))
    code = (
        "import sys, plughost\n"
        f"host = plughost.Host(store={host.store.root!r})\n"
        "import os\n"
        "os.posix_spawn = None\n"
        "print([plugin.name for plugin in host.plugins()], 'subprocess' in sys.modules, 'tomllib' in sys.modules)\n"
    )
    host.plugins()  # makes the index
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    printed = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert printed.stdout == "['echo'] False False\n"


@pytest.mark.parametrize("form", ["git+{url}", "git+{url}@main", "git+{url}@{commit}", "git+{url}@{short}", "{url}"])
def test_a_quick_look_tells_that_nothing_has_changed(
    form: str, host: plughost.Host, git_repository: Callable[..., str], commit: Callable[[Path], str]
) -> None:
    folder = Path(git_repository("echo").removeprefix("git+file://"))
    bare = folder.rename(folder.with_name("echo.git"))
    now = commit(bare)
    request = Request(source=form.format(url=bare.as_uri(), commit=now, short=now[:9]))
    assert find_unchanged(host.store, request) is None
    assert host.add(request.source).commit_id == now
    again = find_unchanged(host.store, request)
    assert again is not None
    assert (again.changed, again.commit_id) == (False, now)
    later = commit(bare)
    moves = now not in request.source and now[:9] not in request.source
    assert (find_unchanged(host.store, request) is None) is moves
    assert (host.add(request.source).commit_id == later) is moves
