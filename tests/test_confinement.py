"""What a confined plugin finds: its own environment and folder, what its policy adds, and nothing else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plughost import Host, SandboxError
from plughost.errors import LimitExceeded, PluginCrashed
from plughost.policy import DEFAULT, TRUSTED, Policy
from plughost.sandbox import Machine, Ways, WorkFolders, known_machine, unenforceable
from plughost.worker._launch import RUNNER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="confines by the Linux kernel"),
    pytest.mark.usefixtures("confined"),
]


@pytest.fixture(scope="module")
def nosy_store(store_with: Callable[..., Path]) -> Path:
    return store_with("nosy")


@pytest.fixture
def open_host(nosy_store: Path) -> Iterator[Callable[[Policy], Host]]:
    """`open_host(policy)` is a host in which `nosy` has that policy."""
    opened: list[Host] = []

    def open_one(policy: Policy = DEFAULT, **options: object) -> Host:
        opened.append(Host(store=nosy_store, policy=policy, **options))
        return opened[-1]

    yield open_one
    for host in opened:
        host.close()


def test_a_plugin_works_in_a_folder_of_its_own_with_variables_of_its_own(open_host, monkeypatch):
    monkeypatch.setenv("SECRET", "swordfish")
    monkeypatch.setenv("LANG", "C.UTF-8")
    about = open_host().call("nosy", "about")
    assert about["folder"] == about["home"] != os.getcwd()
    assert "SECRET" not in about["environment"]
    assert about["environment"]["LANG"] == "C.UTF-8"


@pytest.mark.parametrize("options", [{}, {"isolation": "call"}])
def test_who_keeps_what_they_make_to_themselves_has_plugins_too(open_host, options):
    mask = os.umask(0o077)
    try:
        host = open_host(**options)
        assert host.call("nosy", "about")["folder"] != os.getcwd()
        assert host.call("nosy", "names", "/etc")
    finally:
        os.umask(mask)


def test_files_of_others_are_not_there(open_host, nosy_store, tmp_path):
    (tmp_path / "secret").write_text("swordfish")
    host = open_host()
    home = Path.home()
    for path in (tmp_path / "secret", nosy_store / "plugins", home / ".bashrc", home / ".ssh", "/etc/shadow", "/proc/1"):
        with pytest.raises(FileNotFoundError):
            host.call("nosy", "exists", str(path))


def test_its_environment_and_python_can_be_read_and_not_written(open_host):
    host = open_host()
    venv = host.info("nosy").environment
    assert "pyvenv.cfg" in host.call("nosy", "names", str(venv))
    for path in (f"{venv}/pyvenv.cfg", os.__file__):
        with pytest.raises(OSError, match=r"Read-only|Permission"):
            host.call("nosy", "write", path, "")


def test_temporary_files_are_seen_by_nobody_else(open_host):
    first, second = open_host(), open_host()
    first.call("nosy", "write", "/tmp/plughost-note", "here")
    assert first.call("nosy", "read", "/tmp/plughost-note") == "here"
    with pytest.raises(FileNotFoundError):
        second.call("nosy", "exists", "/tmp/plughost-note")
    assert not Path("/tmp/plughost-note").exists()


def test_temporary_files_count_as_memory(open_host):
    host = open_host(Policy(memory_bytes=60 << 20))
    with pytest.raises(LimitExceeded, match="its memory was"):
        # In folders of one file system, which the process's own memory leaves no room for.
        any(host.call("nosy", "write", f"/{('tmp', 'dev/shm')[n % 2]}/{n % 7}", "x" * (8 << 20)) for n in range(1000))


def test_a_policy_adds_files_to_read_and_to_write(open_host, tmp_path):
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "note").write_text("read me")
    (tmp_path / "results").mkdir(mode=0o777)
    (tmp_path / "results").chmod(0o777)
    tmp_path.chmod(0o755)
    host = open_host(Policy(read=(str(tmp_path / "given"),), write=(str(tmp_path / "results"),)))
    assert host.call("nosy", "read", str(tmp_path / "given" / "note")) == "read me"
    with pytest.raises(OSError, match=r"Read-only|Permission"):
        host.call("nosy", "write", str(tmp_path / "given" / "note"), "")
    host.call("nosy", "write", str(tmp_path / "results" / "answer"), "42")
    assert (tmp_path / "results" / "answer").read_text() == "42"


def test_what_is_hidden_is_not_there_and_what_is_beside_it_is(open_host, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "private").write_text("swordfish")
    (tmp_path / "keys" / "public").write_text("hello")
    host = open_host(Policy(read=(str(tmp_path),), hide=(str(tmp_path / "keys" / "private"),)))
    assert host.call("nosy", "read", str(tmp_path / "keys" / "public")) == "hello"
    with pytest.raises(FileNotFoundError):
        host.call("nosy", "exists", str(tmp_path / "keys" / "private"))


def test_a_path_through_a_link_leads_where_it_does_outside(open_host, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "note").write_text("read me")
    (tmp_path / "link").symlink_to("real")
    host = open_host(Policy(read=(str(tmp_path / "link"),)))
    assert host.call("nosy", "read", str(tmp_path / "link" / "note")) == "read me"


@pytest.mark.parametrize("field", ["read", "write"])
def test_no_path_leads_to_what_the_kernel_shows_of_processes(open_host, tmp_path, field):
    """By its descriptors there, a plugin could hold the other end of its lifeline, and outlive its host."""
    tmp_path.chmod(0o755)
    (tmp_path / "descriptors").symlink_to("/proc/self/fd")
    host = open_host(Policy(**{field: ("/", str(tmp_path / "descriptors"))}))
    for path in ("/proc/self/fd/3", tmp_path / "descriptors" / "3", "/dev/fd/3", f"/proc/{os.getpid()}/status"):
        with pytest.raises(FileNotFoundError):
            host.call("nosy", "exists", str(path))
    assert "processor" in host.call("nosy", "read", "/proc/cpuinfo")


@pytest.mark.parametrize("field", ["read", "execute"])
def test_what_lies_in_a_folder_that_a_plugin_writes_to_leads_nowhere_else(open_host, tmp_path, field):
    tmp_path.chmod(0o755)
    (tmp_path / "secret").write_text("swordfish")
    project = tmp_path / "project"
    (project / "tools" / "inner").mkdir(parents=True)
    for folder in (project, project / "tools", project / "tools" / "inner"):
        folder.chmod(0o777)
    policy = Policy(write=(str(project),), processes=4).replace(**{field: (str(project / "tools" / "inner"),)})
    host = open_host(policy)
    code = (
        "import os, sys; os.chdir(sys.argv[1]); os.rename('tools', 'old'); os.mkdir('tools'); os.symlink('../..', 'tools/inner')"
    )
    host.call("nosy", "run", f"{host.info('nosy').environment}/bin/python", "-c", code, str(project))
    host.close()
    assert (project / "tools" / "inner" / "secret").read_text() == "swordfish"
    for path in (tmp_path / "secret", project / "tools" / "inner" / "secret"):
        with pytest.raises(FileNotFoundError):
            host.call("nosy", "read", str(path))


def test_a_process_of_its_own_has_a_folder_of_its_own(nosy_store):
    with Host(store=nosy_store, isolation="call") as host:
        host.warm("nosy")
        abouts = [host.call("nosy", "about") for _ in range(3)]
        folders = {about["folder"] for about in abouts}
        assert len(folders) == len(abouts)
        assert all(about["temporary"].startswith(about["folder"]) for about in abouts)
        for path in (*(folders - {abouts[-1]["folder"]}), str(Path(abouts[-1]["folder"]).parent)):
            with pytest.raises(OSError, match=r"Permission|No such file"):
                host.call("nosy", "names", path)
    assert not any(Path(folder).exists() for folder in folders)


def test_programs_are_started_where_processes_are_granted_and_others_are_not(open_host):
    with pytest.raises(PermissionError):
        open_host().call("nosy", "run", sys.executable, "-c", "print(1)")
    host = open_host(Policy(processes=4, execute=("/usr/bin/env",)))
    assert "SECRET" not in host.call("nosy", "run", "/usr/bin/env")
    with pytest.raises(FileNotFoundError):
        host.call("nosy", "run", "/usr/bin/find", "/")


def test_programs_of_the_system_come_with_those_that_they_execute_themselves(open_host):
    repository = "git init --quiet here && git -C here gc --quiet && git clone --quiet here there && ls -d there"
    host = open_host(Policy(processes=16, execute=("/usr/bin",)))
    assert host.call("nosy", "run", "/bin/sh", "-c", repository) == "there\n"


def test_who_starts_processes_has_terminals_and_signals_sessions(open_host):
    host = open_host(Policy(processes=4, execute=("/usr/bin",)))
    assert host.call("nosy", "run_on_a_terminal", "/bin/sh", "-c", "tty; stty size") == "/dev/pts/0\r\n24 80\r\n"
    assert host.call("nosy", "end_a_session", "/bin/sleep", "60") == -signal.SIGTERM


def test_work_directories_go_with_their_workers_and_those_of_a_killed_host_with_the_next(nosy_store):
    code = (
        "import os, signal, sys; from plughost import Host\n"
        "host = Host(store=sys.argv[1]); print(host.call('nosy', 'about')['folder'], flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PLUGHOST_POLICY"}
    killed = subprocess.run(
        [sys.executable, "-c", code, str(nosy_store)], capture_output=True, text=True, env=environment, check=False
    )
    left = Path(killed.stdout.strip())
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert left.is_dir()
    with Host(store=nosy_store) as host:
        own = Path(host.call("nosy", "about")["folder"])
        assert own.is_dir()
        assert not left.exists()
    assert not own.exists()


def test_nothing_is_started_where_its_policy_cannot_be_enforced(open_host, nosy_store):
    open_host().call("nosy", "about")  # for which the machine is looked at
    host = open_host()
    machine = json.loads((nosy_store / "cache" / "machine.json").read_text())
    machine["found"].update({"tree": "unshare: not permitted", "user-tree": "unshare: not permitted"})
    (nosy_store / "cache" / "machine.json").write_text(json.dumps(machine))
    try:
        with pytest.raises(SandboxError) as raised:
            host.call("nosy", "about")
    finally:
        (nosy_store / "cache" / "machine.json").unlink()
    assert "`file-names` (that names of other files can't be told): unshare: not permitted" in raised.value.causes[0]
    assert raised.value.exit_code == 7


@pytest.mark.parametrize("options", [{}, {"isolation": "call"}, {"concurrency": 2}])
def test_a_process_that_can_t_be_confined_as_planned_is_refused_with_the_step_that_failed(open_host, tmp_path, options):
    given = tmp_path / "given"
    given.write_text("for a while")
    host = open_host(Policy(read=(str(given),)), **options)
    assert host.call("nosy", "read", str(given)) == "for a while"
    given.unlink()
    host.close()
    with pytest.raises(SandboxError) as caught:
        host.call("nosy", "read", str(given))
    assert (caught.value.reference, caught.value.exit_code) == ("confinement-failed", 7)
    assert f"The step `enter tree` failed: [Errno 2] `{given}` (bind)" in caught.value.causes[0]
    given.write_text("back again")
    assert host.call("nosy", "read", str(given)) == "back again"


def test_what_a_plugin_says_of_its_confinement_is_no_refusal(open_host):
    text = "plughost: this process can't be confined: enter tree: it says so itself"
    with pytest.raises(PluginCrashed) as caught:
        open_host(Policy()).call("nosy", "leave", 77, text)
    assert caught.value.reference == "plugin-crashed"


def test_by_rules_alone_other_files_are_refused(nosy_store, tmp_path):
    """Where there can be no tree of files: what a waived policy still keeps."""
    with Host(store=nosy_store, allow_unenforced=["file-names"]) as host:
        host.call("nosy", "about")
        path = nosy_store / "cache" / "machine.json"
        machine = json.loads(path.read_text())
    machine["found"].update({"tree": "no", "user-tree": "no", "ids": "no", "net": "no", "user-net": "no"})
    path.write_text(json.dumps(machine))
    (tmp_path / "secret").write_text("swordfish")
    try:
        with Host(store=nosy_store, allow_unenforced=["file-names"]) as host:
            about = host.call("nosy", "about")
            assert about["temporary"].startswith(about["folder"])
            with pytest.raises(PermissionError):
                host.call("nosy", "read", str(tmp_path / "secret"))
            with pytest.raises(PermissionError):
                host.call("nosy", "write", "/tmp/plughost-note", "")
            host.call("nosy", "write", "note", "here")
            assert host.call("nosy", "read", "note") == "here"
    finally:
        path.unlink()


@pytest.mark.parametrize("scopes_since", [6, 1 << 10])
def test_no_process_forks_others_where_it_could_signal_those_of_its_user(nosy_store, monkeypatch, scopes_since):
    monkeypatch.setattr("plughost.sandbox._plan.Ways.user_for", lambda *_: None)
    monkeypatch.setattr("plughost.sandbox._machine._SCOPES_SINCE", scopes_since)
    with Host(store=nosy_store, isolation="call") as host:
        host.warm("nosy")
        parent = host.call("nosy", "about")["parent"]
    if known_machine(str(nosy_store / "cache" / "machine.json")).abi >= 6:
        assert (parent == os.getpid()) == (scopes_since > 6)


def test_what_a_machine_lacks_is_named():
    nothing = Machine(0, dict.fromkeys(("landlock", "seccomp", "tree", "user-tree", "net", "user-net", "ids"), "not here"))
    names = {each.name for each in unenforceable(Policy(network=("example.com",), processes=2), nothing)}
    assert names == {"files", "file-names", "calls", "hosts", "processes", "signals"}
    assert unenforceable(TRUSTED, nothing) == []


def test_what_a_plugin_leaves_in_its_folder_is_deleted_whatever_it_is(tmp_path):
    folders = WorkFolders(str(tmp_path))
    folder = Path(folders.new())
    (folder / "locked").mkdir()
    (folder / "locked" / "note").write_text("")
    (folder / "locked").chmod(0)
    (folder / "out").symlink_to(tmp_path / "outside")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").write_text("")
    folders.drop(str(folder))
    assert not folder.exists()
    assert (tmp_path / "outside" / "kept").exists()


def test_a_plan_says_what_the_machine_can_do(tmp_path, nosy_store):
    machine = known_machine(str(tmp_path / "machine.json"))
    venv = next((nosy_store / "venvs").iterdir())
    plan = json.loads(Ways(machine, []).confine(DEFAULT, plugin="nosy", venv=str(venv), work=str(tmp_path), variables={}).plan)
    assert plan["filter"]
    assert [str(tmp_path), "rw"] in [step[1:3] for step in plan["tree"]]


#: A module that tells of one with a source beside the one that it means, so that this is compiled by a name of its choice.
PLANTING = """
import os, sys

def hello() -> str:
    return "hello"

with open("planted.py", "w") as file:
    file.write("planted = True")
os.symlink({outside!r}, "__pycache__")
os.symlink(os.__file__, "linked.py")
for name, origin in {{
    "first": os.path.dirname(os.path.realpath(os.__file__)) + "/none\\r" + os.path.abspath("planted.py"),
    "second": os.path.abspath("linked.py"),
    "third": os.path.dirname(os.__file__) + "/\\0.py",
    "fourth": os.path.dirname(os.__file__) + "/\\ud800.py",
}}.items():
    module = sys.modules[name] = type(sys)(name)
    module.__spec__ = type("Spec", (), {{"origin": origin, "cached": "/none"}})()
"""


def test_what_a_plugin_tells_of_its_modules_has_nothing_written_elsewhere(store, tmp_path):
    (tmp_path / "outside").mkdir()
    project = tmp_path / "planting"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "planting"\nversion = "1.0"\n[project.entry-points.plughost]\nhello = "planting:hello"\n'
    )
    (project / "planting.py").write_text(PLANTING.format(outside=str(tmp_path / "outside")))
    with Host(store=store) as host:
        host.add(str(project))
        assert host.call("planting", "hello") == "hello"
    assert list((tmp_path / "outside").iterdir()) == []


def test_what_takes_much_memory_to_compile_is_left_to_whoever_imports_it(tmp_path):
    (tmp_path / "huge.py").write_text("a = (b, c)\n" * 1_000_000)
    (tmp_path / "small.py").write_text("a = (b, c)\n")
    listed = f"{tmp_path}/huge.py\n{tmp_path}/small.py".encode()
    subprocess.run([sys.executable, "-I", "-S", RUNNER, "compile"], input=listed, check=True, timeout=60)
    assert [path.name.partition(".")[0] for path in (tmp_path / "__pycache__").iterdir()] == ["small"]
