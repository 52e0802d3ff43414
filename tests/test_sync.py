"""A declared set of plugins: locked, and brought to machines, which then have the same."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from plughost import Host
from plughost.errors import UsageError
from plughost.settings import Settings

PACKAGES = Path(__file__).parent / "packages"

#: What an environment holds beside its packages: where it stands, when it was filled, and what was compiled.
OF_THE_PLACE = {"direct_url.json", "RECORD", "uv_cache.json"}


@pytest.fixture
def declare(tmp_path):
    """`declare(echo="git+…", values={"source": "./values"})` writes the file of the set, and is its folder."""
    folder = tmp_path / "set"
    folder.mkdir()

    def write(**plugins: object) -> Path:
        import tomli_w

        (folder / "plughost.toml").write_text(tomli_w.dumps({"plugins": plugins}))
        return folder

    return write


@pytest.fixture
def machine(tmp_path, uv_cache):
    """`machine("one")` is a host with a store of its own, which has nothing of the user's settings."""
    hosts = []

    def make(name: str, *, downloads: Path = uv_cache) -> Host:
        cache = tmp_path / name / "cache"
        if not cache.exists():
            cache.mkdir(parents=True)
            (cache / "uv").symlink_to(downloads, target_is_directory=True)
        hosts.append(Host(store=tmp_path / name, settings=Settings()))
        return hosts[-1]

    yield make
    for host in hosts:
        host.close()


def statuses(synced) -> dict[str, str]:
    return {one.name: one.error.reference if one.error else one.status for one in synced}


def locked(folder: Path) -> dict:
    return tomllib.loads((folder / "plughost.lock").read_text())["plugins"]


def contents(host: Host, name: str) -> dict[str, str]:
    """The digests of the files of the packages in the plugin's environment."""
    packages = next(host.info(name).environment.glob("lib/python*/site-packages"))
    files = (path for path in packages.rglob("*") if path.is_file() and path.suffix != ".pyc" and path.name not in OF_THE_PLACE)
    return {str(path.relative_to(packages)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_one_lock_gives_two_machines_the_same_wheels_and_packages(
    tmp_path, declare, git_repository, plughost_command, machine, clean_environment
):
    folder = declare(
        **{
            "needs-dep": {"source": git_repository("needs-dep"), "pin": True},
            "values": {"source": "./values", "enabled": False},
        }
    )
    shutil.copytree(PACKAGES / "values", folder / "values")
    assert [change.status for change in machine("one").lock_set(folder).changes] == ["added"] * 2
    text = (folder / "plughost.lock").read_text()
    assert str(tmp_path) not in re.sub(r"^source = .*", "", text, flags=re.MULTILINE)
    (tmp_path / "home-of-two").mkdir()
    elsewhere = {
        **clean_environment,
        "HOME": str(tmp_path / "home-of-two"),
        "PLUGHOST_HOME": str(tmp_path / "two"),
        "TZ": "Asia/Tokyo",
    }
    machine("two", downloads=tmp_path / "home-of-two")
    os.utime(folder / "values" / "pyproject.toml", (0, 0))
    told = plughost_command("sync", "--locked", "--json", env=elsewhere, cwd=folder).json()
    assert [(one["name"], one["status"], one["marks"]) for one in told] == [
        ("needs-dep", "added", ["pinned"]),
        ("values", "added", ["disabled"]),
    ]
    one, two = machine("one"), machine("two")
    one.sync(folder, locked=True)
    for name, entry in locked(folder).items():
        receipts = [host.info(name).receipt for host in (one, two)]
        assert {(receipt.wheel, receipt.wheel_sha256) for receipt in receipts} == {
            (entry["wheel"]["name"], entry["wheel"]["sha256"])
        }
        assert contents(one, name) == contents(two, name)
    again = plughost_command("sync", env=elsewhere, cwd=folder)
    assert again.stdout == "2 plugins are as declared: nothing to do\n"
    assert (folder / "plughost.lock").read_text() == text


@pytest.fixture(scope="session")
def locked_set(tmp_path_factory, uv_cache, session_repository):
    """A folder with a declared set that is locked: `echo` alone, and `needs-dep` with its dependency."""
    folder = tmp_path_factory.mktemp("locked")
    sources = {name: session_repository(name) for name in ("echo", "needs-dep")}
    (folder / "plughost.toml").write_text("[plugins]\n" + "".join(f'{name} = "{url}"\n' for name, url in sources.items()))
    (folder / "store" / "cache").mkdir(parents=True)
    (folder / "store" / "cache" / "uv").symlink_to(uv_cache)
    with Host(store=folder / "store", settings=Settings()) as host:
        assert host.lock_set(folder).written
    return folder


@pytest.fixture
def lock_text(locked_set):
    """The lock of that set; it is put back after the test."""
    path = locked_set / "plughost.lock"
    text = path.read_text()
    yield text
    path.write_text(text)


def replaced(pattern: str, by: str, text: str) -> str:
    changed, count = re.subn(pattern, by, text, count=1, flags=re.DOTALL)
    assert count == 1
    return changed


@pytest.mark.parametrize(
    ("pattern", "by", "cause"),
    [
        (
            r'(idna.*?sha256 = ")[^"]*',
            r"\1short",
            'packages[0].sdist.hashes.sha256` is `"short"`, and not a text of its form',
        ),
        (
            r"\[[^[]*packages.sdist\].*?(?=\n\[\[[^]]*packages\]\])",
            "",
            "`plugins.needs-dep.lock.packages[0]` has no file of `idna`",
        ),
        (r'commit = "[^"]*', 'commit = "--upload-pack=evil', '`plugins.echo.commit` is `"--upload-pack=evil"`, and not a text'),
        (r'(wheel\]\nname = ")', r"\1../../", '`plugins.echo.wheel.name` is `"../../echo-1.0-py3-none-any.whl"`'),
        (r'(packages.archive\]\npath = ")', r"\1../", '`plugins.echo.lock.packages[0].archive` has the path `"../echo-1.0'),
        ("format = 1", "format = 2", "`format` is `2`, and this version of plughost reads 1"),
        ('kind = "git"', 'kind = "svn"', '`plugins.echo.kind` is `"svn"`, and not one of the words for it'),
        (r'python = "3\.\d+"', "", "`plugins.echo.python` is missing"),
        (r"\A", "[[[", ""),
    ],
)
def test_a_lock_that_was_tampered_with_is_refused_by_its_keys(locked_set, lock_text, machine, pattern, by, cause):
    (locked_set / "plughost.lock").write_text(replaced(pattern, by, lock_text))
    with pytest.raises(UsageError) as caught:
        machine("one").sync(locked_set)
    assert caught.value.reference == "settings-invalid"
    assert caught.value.message == f"The lock `{locked_set}/plughost.lock` can't be used"
    assert cause in caught.value.causes[0]


def test_what_is_not_what_a_lock_says_is_refused_by_name_and_the_others_installed(locked_set, lock_text, machine):
    one = machine("one")
    path = locked_set / "plughost.lock"
    path.write_text(replaced(r'(needs-dep.*?wheel\]\n.*?sha256 = ")[^"]*', rf"\g<1>{'0' * 64}", lock_text))
    synced = one.sync(locked_set)
    assert statuses(synced) == {"echo": "added", "needs-dep": "wheel-changed"}
    assert "Their files are the same" in synced[1].error.causes[0]
    path.write_text(re.sub(r'(idna.*?sha256 = ")[^"]*', rf"\g<1>{'0' * 64}", lock_text, flags=re.DOTALL))
    synced = one.sync(locked_set)
    assert statuses(synced) == {"echo": "unchanged", "needs-dep": "hash-mismatch"}
    assert "idna" in str(synced[1].error)
    path.write_text(replaced(r'(echo.*?commit = ")[^"]*', rf"\g<1>{'0' * 40}", lock_text))
    assert statuses(one.sync(locked_set)) == {"echo": "git-ref-not-found", "needs-dep": "added"}
    path.write_text(replaced(r'(name = "idna"\nversion = "3.7"\n)marker = [^\n]*\n', r"\1", lock_text))
    assert statuses(one.sync(locked_set)) == {"echo": "unchanged", "needs-dep": "changed"}


DYING_HOST = """
import os, signal, sys
from plughost import Host
from plughost.settings import Settings

class Dying(Host):
    def disable(self, name):
        die("disable")

def die(where):
    if where == sys.argv[3]:
        os.kill(os.getpid(), signal.SIGKILL)

Dying(store=sys.argv[1], settings=Settings()).sync(sys.argv[2], on_synced=lambda synced: die(synced.name))
"""


@pytest.mark.parametrize(
    ("where", "done", "rest"),
    [
        ("echo", ["echo"], {"echo": "unchanged", "values": "added", "zoo": "added"}),
        ("disable", ["echo", "values"], {"echo": "unchanged", "values": "unchanged", "zoo": "added"}),
    ],
)
def test_a_sync_that_is_killed_is_completed_by_the_next(machine, declare, session_repository, where, done, rest):
    echo = session_repository("echo")
    folder = declare(echo=echo, values={"source": session_repository("values"), "enabled": False}, zoo=echo)
    one = machine("one")
    killed = subprocess.run([sys.executable, "-c", DYING_HOST, one.store.root, folder, where], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [plugin.name for plugin in one.plugins()] == done
    assert statuses(one.sync(folder)) == rest
    assert {plugin.name: plugin.disabled for plugin in one.plugins()} == {"echo": False, "values": True, "zoo": False}
    assert not any(Path(one.store.tmp).iterdir())


def test_locking_again_keeps_what_fits(declare, git_repository, machine):
    one = machine("one")
    sources = {"echo": git_repository("echo"), "values": git_repository("values")}
    (declare() / "constraints.txt").write_text("idna<3.8")
    folder = declare(**sources, echo_too={"source": sources["echo"], "with": ["idna"], "constraint": "constraints.txt"})
    one.lock_set(folder)
    before = locked(folder)
    for name in sources:
        git_repository(name, version="2.0")
    assert not one.lock_set(folder).written
    folder = declare(**sources, echo_too={"source": sources["echo"], "with": ["idna", "sniffio"]})
    changes = one.lock_set(folder).changes
    assert [(change.name, change.status) for change in changes] == [
        ("echo", "unchanged"),
        ("echo-too", "changed"),
        ("values", "unchanged"),
    ]
    after = locked(folder)
    assert (after["echo"], after["values"]) == (before["echo"], before["values"])
    assert after["echo-too"]["commit"] == before["echo-too"]["commit"]
    versions = {package["name"]: package["version"] for package in after["echo-too"]["lock"]["packages"]}
    assert versions["idna"] == "3.7"
    assert "sniffio" in versions
    one.lock_set(folder, upgrade=["echo-too"])
    upgraded = locked(folder)
    assert (upgraded["echo"]["version"], upgraded["echo-too"]["version"]) == ("1.0", "2.0")
    assert {package["name"]: package["version"] for package in upgraded["echo-too"]["lock"]["packages"]}["idna"] != "3.7"
    with pytest.raises(UsageError, match="declares no plugin `weather`"):
        one.lock_set(folder, upgrade=["weather"])


def test_where_a_plugin_cannot_be_locked_the_lock_stays_as_it_was(declare, git_repository, machine, plughost_command):
    folder = declare(echo=git_repository("echo"))
    machine("one").lock_set(folder)
    before = (folder / "plughost.lock").read_bytes()
    folder = declare(echo="git+file:///nowhere", values=git_repository("values"))
    completed = plughost_command("lock", str(folder), "--json")
    assert completed.returncode == 5
    told = completed.json()
    assert [(one["name"], one["status"]) for one in told["plugins"]] == [("echo", "failed"), ("values", "added")]
    assert told["plugins"][0]["error"]["reference"] == "git-not-found"
    assert (told["written"], (folder / "plughost.lock").read_bytes()) == (False, before)
    mistaken = plughost_command("lock", "--upgrade", "values", cwd=folder)
    assert mistaken.stderr.endswith("hint: For the plugin of that name: `plughost lock --upgrade-plugin values`\n")


def test_a_sync_locks_what_changed_unless_it_must_not(declare, git_repository, machine):
    one = machine("one")
    echo = git_repository("echo")
    folder = declare(echo=echo)
    for options in ({"locked": True}, {"frozen": True}):
        with pytest.raises(UsageError, match="There is no lock"):
            one.sync(folder, **options)
    one.lock_set(folder)
    folder = declare(echo={"source": echo, "entry-points": {"more": "echo:greet"}})
    with pytest.raises(UsageError) as caught:
        one.sync(folder, locked=True)
    assert caught.value.causes == ("Of `echo`, `entry-points` changed",)
    before = (folder / "plughost.lock").read_bytes()
    assert statuses(one.sync(folder, dry_run=True)) == {"echo": "added"}
    assert (one.plugins(), (folder / "plughost.lock").read_bytes()) == ([], before)
    assert statuses(one.sync(folder, frozen=True)) == {"echo": "added"}
    assert (folder / "plughost.lock").read_bytes() == before
    one.sync(folder)
    assert locked(folder)["echo"]["request"]["entry-points"] == {"more": "echo:greet"}


def test_a_folder_is_held_to_what_is_in_it(declare, machine):
    one = machine("one")
    folder = declare(values="./values")
    shutil.copytree(PACKAGES / "values", folder / "values")
    one.lock_set(folder)
    (folder / "values" / "more.py").write_text("x = 1")
    with pytest.raises(UsageError, match="doesn't fit") as caught:
        one.sync(folder, locked=True)
    assert caught.value.causes == ("Of `values`, what is in `./values` changed",)
    assert statuses(one.sync(folder, frozen=True)) == {"values": "hash-mismatch"}
    assert statuses(one.sync(folder)) == {"values": "added"}


def test_without_a_lock_what_is_there_stays_and_what_is_declared_otherwise_changes(declare, git_repository, machine):
    one = machine("one")
    echo = git_repository("echo")
    folder = declare(echo=echo, values=git_repository("values"))
    assert statuses(one.sync(folder)) == {"echo": "added", "values": "added"}
    git_repository("echo", version="2.0")  # which only an update asks for
    assert statuses(one.sync(folder, offline=True)) == {"echo": "unchanged", "values": "unchanged"}
    folder = declare(echo=git_repository("hooks"), values={"source": git_repository("values"), "pin": True})
    (echo_changed, values_marked) = one.sync(folder)
    assert (echo_changed.status, one.info("echo").receipt.package) == ("changed", "hooks")
    assert (values_marked.status, values_marked.marks) == ("unchanged", ("pinned",))
    kept = set(Path(one.store.plugin("echo")).iterdir())
    folder = declare(echo={"source": echo, "enabled": False})
    before = {name: (plugin.pinned, plugin.disabled) for plugin in one.plugins() for name in [plugin.name]}
    assert statuses(one.sync(folder)) == {"echo": "changed", "values": "undeclared"}
    assert set(Path(one.store.plugin("echo")).iterdir()) == kept  # put in force again, and not built
    assert before["values"] == (True, False)
    assert statuses(one.sync(folder, prune=True)) == {"echo": "unchanged", "values": "removed"}
    assert [(plugin.name, plugin.disabled) for plugin in one.plugins()] == [("echo", True)]
    assert one.sync(declare(echo=echo))[0].marks == ("enabled",)


def test_the_command_tells_of_each_plugin_and_ends_with_the_first_error(declare, git_repository, plughost_command):
    folder = declare(echo=git_repository("echo"), missing="./missing")
    completed = plughost_command("sync", str(folder))
    assert completed.returncode == 5
    assert re.fullmatch(r"Added `echo` 1\.0 \(\w{7}\)\n", completed.stdout)
    assert completed.stderr.startswith(f"error: There is nothing at `{folder}/missing`\n")
    declare()
    dry = plughost_command("sync", "--prune", "--dry-run", cwd=folder)
    assert re.fullmatch(r"Would remove `echo` 1\.0 \(\w{7}\)\n", dry.stdout)
    assert plughost_command("sync", cwd=folder).stdout.startswith("`echo` is installed, and not declared; `--prune` removes it\n")
    assert plughost_command("sync", "-q", "--prune", cwd=folder).stdout == ""
    assert plughost_command("list", "--json").json() == []


@pytest.fixture
def flat(tmp_path):
    """A project whose backend is small, and writes its own version and the times of files into the wheel."""
    project = tmp_path / "flat"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n'
        '[project]\nname = "flat"\nversion = "1.0"\ndescription = "x"\n[project.entry-points.plughost]\nhi = "flat:hi"\n'
    )
    (project / "flat.py").write_text('def hi() -> str:\n    return "hi"\n')
    return project


def test_the_wheel_of_a_folder_is_the_same_whatever_commit_it_is_in(declare, commit, machine, flat):
    folder = declare(flat="./flat")
    flat.rename(folder / "flat")
    machine("one").lock_set(folder)
    commit(folder)
    for path in (folder / "flat").iterdir():
        os.utime(path, (2_000_000_000, 2_000_000_000))
    assert statuses(machine("two").sync(folder, locked=True)) == {"flat": "added"}


def test_a_wheel_is_built_with_the_locked_backend_where_the_newest_gives_another(declare, commit, machine, flat):
    commit(flat)
    folder = declare(flat=f"git+{flat.as_uri()}")
    old, new = machine("old"), machine("new")
    old.lock_set(folder)
    newest = locked(folder)["flat"]["wheel"]
    environment = next(Path(old.store.build_environments).iterdir())
    from uv import find_uv_bin

    older = [find_uv_bin(), "pip", "install", "-q", "-p", environment / "bin" / "python", "flit_core==3.11.0"]
    subprocess.run(older, check=True, env={**os.environ, "UV_CACHE_DIR": old.store.uv_cache})
    for kept in Path(old.store.kept_wheels).iterdir():
        (kept / "kept.json").unlink()
    old.lock_set(folder, upgrade=True)
    assert locked(folder)["flat"]["wheel"]["generator"] == "flit 3.11.0" != newest["generator"]
    new.add(f"git+{flat.as_uri()}", name="newest", python=locked(folder)["flat"]["python"])  # whose wheel is kept
    assert statuses(new.sync(folder, locked=True)) == {"flat": "added", "newest": "undeclared"}
    assert new.info("flat").receipt.wheel_sha256 == locked(folder)["flat"]["wheel"]["sha256"] != newest["sha256"]
