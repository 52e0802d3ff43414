"""What plugins ask to be permitted: where they say it, who is asked, what is recorded, and what holds then."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import select
import subprocess
import sys
import zipfile

import pytest

from plughost import Host, Policy, Settings
from plughost.errors import BuildError, GrantNeeded, SandboxError, SourceError

MIB = 1 << 20
ASKED = 'network = ["api.example.com"]\nmemory = "8 GiB"\nwall = "30 s"\n'
MORE = 'network = ["api.example.com", "cdn.example.com"]\nmemory = "1 GiB"\n'
CODE = """\
import os
from pathlib import Path

def size(file: Path) -> int:
    return file.stat().st_size

def look(path: str) -> str:
    with open(path) as file:
        return file.read()

def pid() -> int:
    return os.getpid()
"""

pytestmark = pytest.mark.usefixtures("confined")


@pytest.fixture
def wheel(tmp_path):
    """`wheel("1.0", permissions)` is a wheel made by hand of the package `weather`, with that text in its file of permissions."""

    def make(version: str = "1.0", permissions: str = "", *, at: str = "weather/plughost-permissions.toml"):
        info = f"weather-{version}.dist-info"
        files = {
            "weather/__init__.py": CODE,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: weather\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/entry_points.txt": "[plughost]\nlook = weather:look\nsize = weather:size\npid = weather:pid\n",
            **({at: permissions} if permissions else {}),
        }
        lines = [f"{name},sha256={digest(text)},{len(text)}" for name, text in files.items()]
        path = tmp_path / f"weather-{version}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in {**files, f"{info}/RECORD": "\n".join([*lines, f"{info}/RECORD,,", ""])}.items():
                archive.writestr(name, text)
        return str(path)

    return make


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def project(tmp_path):
    """The folder of a project `weather`, with a tool that writes a file."""
    folder = tmp_path / "weather-project"
    (folder / "weather").mkdir(parents=True)
    (folder / "weather" / "__init__.py").write_text("def put(path: str) -> None:\n    open(path, 'w').write('sun')\n")
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["uv_build>=0.9,<1"]\nbuild-backend = "uv_build"\n\n'
        '[project]\nname = "weather"\nversion = "1.0"\n\n'
        '[project.entry-points.plughost]\nput = "weather:put"\n\n'
        '[tool.uv.build-backend]\nmodule-root = ""\n'
    )
    return folder


@pytest.fixture
def sober_host(store):
    """A host of whose plugins the settings say nothing."""
    with Host(store=store, settings=Settings()) as host:
        yield host


@pytest.fixture
def command(plughost_here):
    return lambda *argv, **more: plughost_here(*argv, env={"PLUGHOST_POLICY": "", **more.pop("env", {})}, **more)


def test_a_source_tree_asks_in_its_pyproject_and_nothing_is_installed_unless_somebody_answers(
    sober_host, git_repository, commit, tmp_path
):
    source = git_repository("echo")
    pyproject = tmp_path / "repositories" / "echo" / "pyproject.toml"
    written = pyproject.read_text()
    pyproject.write_text(f"{written}\n[tool.plughost.permissions]\n{ASKED}")
    commit(pyproject.parent)
    with pytest.raises(GrantNeeded) as caught:
        sober_host.add(source)
    assert caught.value.causes == ("network: api.example.com", "memory: 8 GiB")
    assert caught.value.plugin == "echo"
    assert caught.value.permissions == {"network": ["api.example.com"], "memory": "8 GiB", "wall": "30 s"}
    assert sober_host.plugins() == []

    added = sober_host.add(source, grant="all")
    assert added.plugin.receipt.grant == added.plugin.grant == caught.value.permissions
    assert sober_host.policy_of("echo") == Policy(network=["api.example.com"], memory_bytes=8 << 30, wall_s=30)
    assert not sober_host.add(source).changed

    pyproject.write_text(f"{written}\n[tool.plughost.permissions]\nnetwrk = 1")
    commit(pyproject.parent)
    with pytest.raises(SourceError, match=r"A policy has no `netwrk` in `tool.plughost.permissions`"):
        sober_host.update("echo")


def test_a_wheel_asks_in_a_file_beside_its_modules_or_in_its_metadata(sober_host, wheel):
    added = sober_host.add(wheel("1.0", ASKED), grant={"network": "api.example.com"})
    assert added.plugin.grant == {"network": ["api.example.com"]}
    assert added.plugin.permissions == {"network": ["api.example.com"], "memory": "8 GiB", "wall": "30 s"}
    assert sober_host.policy_of("weather") == Policy(network=["api.example.com"])
    sober_host.add(wheel("1.1", ASKED, at="weather-1.1.dist-info/plughost-permissions.toml"), name="other", grant="none")
    assert sober_host.info("other").permissions == added.plugin.permissions
    assert sober_host.info("other").grant == {}
    with pytest.raises(BuildError) as caught:
        sober_host.add(wheel("1.2", "memory = 'lots'"), name="third")
    assert (caught.value.reference, len(caught.value.causes)) == ("permissions-invalid", 1)


def test_a_package_from_an_index_asks_in_its_file_too(sober_host, wheel, tmp_path, monkeypatch):
    path = wheel("1.0", ASKED)
    (tmp_path / "index" / "weather").mkdir(parents=True)
    name = os.path.basename(path)
    os.rename(path, tmp_path / "index" / "weather" / name)
    (tmp_path / "index" / "weather" / "index.html").write_text(f'<a href="{name}">{name}</a>')
    monkeypatch.setenv("UV_DEFAULT_INDEX", (tmp_path / "index").as_uri())
    with pytest.raises(GrantNeeded):
        sober_host.add("weather==1.0")
    assert sober_host.add("weather==1.0", grant="all").plugin.grant == {
        "network": ["api.example.com"],
        "memory": "8 GiB",
        "wall": "30 s",
    }


def test_what_only_limits_the_plugin_itself_needs_no_answer(sober_host, wheel):
    added = sober_host.add(wheel("1.0", 'memory = "1 GiB"\nnetwork = "off"'))
    assert added.plugin.grant == {"network": "off", "memory": "1 GiB"}
    assert sober_host.policy_of("weather").memory_bytes == 1024 * MIB
    assert sober_host.add(wheel("2.0"), name="plain").plugin.grant is None


def test_a_newer_version_is_asked_about_only_if_it_wants_more_than_was_granted_or_asked_for(sober_host, wheel):
    asked = []

    def answer(permissions):
        asked.append((permissions.version, permissions.lines(), permissions.granted))
        return permissions.version != "1.3"

    sober_host.add(wheel("1.0", ASKED), grant=answer)
    granted = sober_host.info("weather").grant
    assert asked == [("1.0", ["network: api.example.com", "memory: 8 GiB"], {})]
    assert sober_host.add(wheel("1.1", 'network = ["api.example.com:443"]'), grant=answer).plugin.grant == granted
    assert len(asked) == 1
    with pytest.raises(GrantNeeded) as caught:
        sober_host.add(wheel("1.2", MORE))
    assert caught.value.causes == ("network: api.example.com, cdn.example.com",)
    assert sober_host.info("weather").version == "1.1"
    assert sober_host.add(wheel("1.3", MORE), grant=answer).plugin.grant == granted
    assert asked[1] == ("1.3", ["network: api.example.com, cdn.example.com"], granted)
    assert sober_host.add(wheel("1.4", MORE)).plugin.grant == granted  # it was said no to, and isn't asked again
    merged = sober_host.add(wheel("1.5", MORE.replace("cdn", "map")), grant=answer).plugin.grant
    assert merged == {**granted, "network": ["api.example.com", "map.example.com"]}
    sober_host.rollback("weather")
    assert sober_host.info("weather").grant == merged


def test_an_update_that_wants_more_is_refused_or_answered_and_keeps_what_was_granted(sober_host, wheel, tmp_path):
    path = tmp_path / "newest" / "weather-1.0-py3-none-any.whl"
    path.parent.mkdir()
    os.rename(wheel("1.0", ASKED), path)
    sober_host.add(str(path), grant="all")
    before = sober_host.info("weather")
    os.rename(wheel("1.0", MORE), path)
    with pytest.raises(GrantNeeded) as caught:
        sober_host.update("weather")
    assert '`host.update("weather", grant="all")`' in caught.value.hint
    assert sober_host.info("weather").receipt == before.receipt
    assert sober_host.update("weather", grant="none").status == "updated"
    assert sober_host.info("weather").grant == before.grant


def test_what_is_taken_back_while_a_version_is_added_stays_taken_back(sober_host, store, wheel):
    sober_host.add(wheel("1.0", ASKED), grant="all")

    def take_back(progress):
        if progress.stage == "receipt":
            with Host(store=store) as other:
                other.grant("weather", "none")

    with Host(store=store, settings=Settings(), on_progress=take_back) as host:
        assert host.add(wheel("1.1", ASKED)).plugin.grant == {}


def test_who_has_everything_by_name_is_not_asked(store, wheel):
    with Host(store=store, settings=Settings(), policy="trusted") as host:
        assert host.add(wheel("1.0", ASKED)).plugin.grant is None
        assert host.policy_of("weather") == Policy.trusted()
    with Host(store=store, settings=Settings(policy="strict")) as host:
        assert host.policy_of("weather") == Policy.strict()
        host.grant("weather", "trusted")
        assert host.policy_of("weather") == Policy.strict()


def test_a_grant_changes_with_the_next_call_also_of_another_host(sober_host, store, wheel, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("swordfish")
    secret.chmod(0o644)
    tmp_path.chmod(0o755)
    sober_host.add(wheel())
    pid = sober_host.call("weather", "pid")
    assert sober_host.call("weather", "pid") == pid
    with pytest.raises(FileNotFoundError):
        sober_host.call("weather", "look", str(secret))
    with Host(store=store) as other:
        assert other.grant("weather", {"read": [secret]})
        assert not other.grant("weather", {"read": [secret]})
    assert sober_host.call("weather", "look", str(secret)) == "swordfish"
    assert sober_host.grant("weather", None)
    with pytest.raises(FileNotFoundError):
        sober_host.call("weather", "look", str(secret))


def test_a_call_is_narrowed_by_its_caller_alone(sober_host, wheel, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("swordfish")
    secret.chmod(0o644)
    tmp_path.chmod(0o755)
    sober_host.add(wheel(), grant={"read": [secret]})
    pid = sober_host.call("weather", "pid")
    assert sober_host.invoke("weather", "look", args=[str(secret)]).result == "swordfish"
    with pytest.raises(FileNotFoundError):
        sober_host.invoke("weather", "look", args=[str(secret)], policy={"read": []})
    assert sober_host.invoke("weather", "look", args=[str(secret)], policy="trusted").result == "swordfish"
    assert sober_host.invoke("weather", "pid", policy="strict").result != pid
    assert sober_host.call("weather", "pid") == pid


def test_a_repair_and_a_bundle_carry_what_was_asked_and_a_repair_what_was_granted(sober_host, wheel, tmp_path):
    sober_host.add(wheel("1.0", ASKED), grant="all")
    before = sober_host.info("weather")
    bundle = sober_host.export("weather", tmp_path)
    (before.folder / "manifest.json").write_text(" ")
    (before.folder.parent / "current").write_text(f"{before.folder.name}\ngrant {before.state.grant}\nnonsense\n")
    sober_host.repair("weather")
    after = sober_host.info("weather")
    assert (after.grant, after.receipt.grant) == (before.grant, before.grant)
    sober_host.remove("weather")
    with pytest.raises(GrantNeeded):
        sober_host.add(str(bundle.path))


def test_the_command_takes_the_answer_by_flags_and_refuses_to_guess(command, wheel):
    path = wheel("1.0", ASKED)
    refused = command("add", path, "--json").json()["error"]
    assert (refused["reference"], refused["exit_code"]) == ("grant-needed", 2)
    assert refused["causes"] == ["network: api.example.com", "memory: 8 GiB"]
    assert refused["hint"].startswith("`--grant all` with the same command grants it, `--grant none` nothing")
    added = command("add", path, "--grant", "network=api.example.com:443", "--grant", "memory=6GiB", "--json").json()
    assert added["grant"] == {"network": ["api.example.com:443"], "memory": "6 GiB"}
    assert command("add", path, "--grant", "all", "--json").json()["grant"] == added["permissions"]
    assert command("add", path, "--policy", "trusted", "--json").json()["grant"] == {"preset": "trusted"}
    assert "\n  granted: network api.example.com; memory 8 GiB; wall 30 s\n" in command("add", path, "--grant", "all").stdout
    assert command("add", path, "--grant", "none", "--json").json()["grant"] == {}
    assert command("add", path, "--grant", "none", "--policy", "strict").returncode == 2
    assert "A policy has no `netwrk`" in command("add", path, "--grant", "netwrk=on").stderr


@pytest.mark.parametrize(("answer", "grant"), [("y", "network api.example.com; memory 8 GiB; wall 30 s"), ("", "nothing")])
def test_a_terminal_is_asked(clean_environment, store, wheel, answer, grant):
    screen, far = os.openpty()
    environment = {**clean_environment, "PLUGHOST_POLICY": "", "PLUGHOST_HOME": str(store), "TERM": "dumb", "COLUMNS": "200"}
    argv = [sys.executable, "-m", "plughost"]
    path = wheel("1.0", ASKED)
    with subprocess.Popen(
        [*argv, "add", path], env=environment, stdin=far, stdout=far, stderr=far, start_new_session=True
    ) as process:
        os.close(far)
        seen = read_until(screen, "Grant these? [y/N] ")
        assert "`weather` 1.0 asks for more than plugins may use:\r\n  network: api.example.com\r\n  memory: 8 GiB\r\n" in seen
        os.write(screen, f"{answer}\n".encode())
        assert "Added `weather` 1.0" in read_until(screen, "Try it")
        assert process.wait(60) == 0
    os.close(screen)
    told = subprocess.run([*argv, "info", "weather"], env=environment, check=True, capture_output=True, text=True).stdout
    assert f"granted       {grant}\n" in told


def read_until(screen: int, text: str) -> str:
    seen = ""
    while text not in seen:
        assert select.select([screen], [], [], 60)[0], seen
        seen += os.read(screen, 4096).decode()
    return seen


def test_policy_show_set_and_reset(command, wheel, tmp_path):
    command("add", wheel("1.0", ASKED), "--grant", "none")
    lines = dict(line.split("  ", 1) for line in command("policy", "show", "weather").stdout.splitlines() if "  " in line[1:])
    assert lines["memory"].split() == ["4", "GiB"]
    assert "`plughost policy set weather --grant all` grants that" in command("policy", "show", "weather").stdout
    told = command("policy", "set", "weather", "--allow-net", "a.example.com", "--read", "data", "wall=5s", cwd=tmp_path).stdout
    assert told == f"`weather` is granted network a.example.com, read {tmp_path}/data, wall 5 s\n"
    command("policy", "set", "weather", "--read", f"{tmp_path}/home/maps")
    shown = command("policy", "show", "weather").stdout.splitlines()
    assert "~/maps" in "".join(shown)
    assert len({line.index("granted") for line in shown if line.endswith("granted")}) == 1
    added = command("policy", "set", "weather", "--allow-net", "b.example.com:80", "--json").json()
    assert added["granted"]["network"] == ["a.example.com", "b.example.com:80"]
    assert {row["key"]: row["decided_by"] for row in added["policy"]}["wall"] == "grant"
    assert added["lacking"] == ["network", "memory", "wall"]
    strict = command("policy", "show", "weather", "--json", env={"PLUGHOST_POLICY": "strict"}).json()
    assert {row["key"]: (row["value"], row["decided_by"]) for row in strict["policy"]}["network"] == ("off", "operator")
    (tmp_path / "plughost.toml").write_text("[policy]\nnetwork = 'on'\nthreads = 9")
    assert command("policy", "show", "--json", cwd=tmp_path).json()["not_given"] == ["network"]
    assert "The project's file says more of network; it takes away" in command("policy", "show", cwd=tmp_path).stdout
    (tmp_path / "plughost.toml").unlink()
    assert command("policy", "set", "weather", "--grant", "all", "--json").json()["lacking"] == []
    assert command("policy", "set", "weather").returncode == 2
    assert command("policy", "reset", "weather", "--json").json() == [{"name": "weather", "changed": True}]
    assert command("policy", "show", "--json").json()["preset"] == "default"


def test_a_run_has_what_its_flags_say_also_where_a_daemon_is(command, wheel, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("swordfish")
    secret.chmod(0o644)
    tmp_path.chmod(0o755)
    command("add", wheel())

    def outcomes():
        path = f"path={secret}"
        runs = {
            "plain": command("run", "weather:look", path),
            "read": command("run", "weather:look", path, "--read", "secret", cwd=tmp_path),
            "trusted": command("run", "weather:look", path, "--policy", "trusted"),
            "variable": command("run", "weather:look", path, env={"PLUGHOST_POLICY": "trusted"}),
            "strict": command("run", "weather:look", path, "--policy", "strict", env={"PLUGHOST_POLICY": "trusted"}),
            "invalid": command("run", "weather:look", path, "--memory", "lots"),
        }
        return {name: (run.returncode, run.stdout.strip()) for name, run in runs.items()}

    alone = outcomes()
    assert alone == {
        "plain": (1, ""),
        "read": (0, '"swordfish"'),
        "trusted": (0, '"swordfish"'),
        "variable": (0, '"swordfish"'),
        "strict": (1, ""),
        "invalid": (2, ""),
    }
    assert command("up").returncode == 0
    try:
        assert outcomes() == alone
    finally:
        command("down")


def test_a_file_of_the_users_folder_is_found_where_it_is_granted_and_else_the_user_is_told_how(command, wheel, tmp_path):
    (tmp_path / "notes.txt").write_text("swordfish")
    (tmp_path / "notes.txt").chmod(0o644)
    tmp_path.chmod(0o755)
    command("add", wheel())
    assert command("run", "weather:size", "file=notes.txt", "--read", "notes.txt", cwd=tmp_path).stdout == "9\n"
    assert command("run", "weather:size", "--args", '["notes.txt"]', "--read", ".", cwd=tmp_path).stdout == "9\n"
    refused = command("run", "weather:size", "file=notes.txt", cwd=tmp_path)
    assert refused.returncode == 1
    assert "hint: The plugin may not use `notes.txt`: `--read notes.txt` lets it read that" in refused.stderr
    assert "hint" not in command("run", "weather:size", "file=nowhere.txt", cwd=tmp_path).stderr


def test_an_editable_plugin_is_run_from_its_folder_and_a_plugin_writes_where_only_its_user_may(sober_host, tmp_path, project):
    project.chmod(0o700)
    sober_host.add(str(project), editable=True)
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o700)
    with pytest.raises(OSError, match=r"Permission|No such file"):
        sober_host.call("weather", "put", str(kept / "sky"))
    sober_host.grant("weather", {"write": [kept]})
    sober_host.call("weather", "put", str(kept / "sky"))
    assert (kept / "sky").read_text() == "sun"


def test_a_limit_that_may_go_unenforced_is_logged_and_stands_in_the_receipt(store, wheel, caplog):
    with Host(store=store, settings=Settings()) as host:
        assert host.add(wheel("1.0")).plugin.receipt.unenforced == ()
    path = store / "cache" / "machine.json"
    machine = json.loads(path.read_text())
    machine["found"].update({"tree": "no", "user-tree": "no", "ids": "no", "net": "no", "user-net": "no"})
    path.write_text(json.dumps(machine))
    with Host(store=store, settings=Settings()) as host, pytest.raises(SandboxError):
        host.call("weather", "pid")
    with Host(store=store, settings=Settings(allow_unenforced=("file-names", "network"))) as host:
        assert host.add(wheel("1.1")).plugin.receipt.unenforced == ("file-names",)
        caplog.clear()
        host.call("weather", "pid")
    assert caplog.messages == ["`weather` is started though `file-names` can't be enforced here"]


def test_a_sync_takes_the_answer_for_all_and_tells_of_each_that_asks(command, wheel, tmp_path):
    (tmp_path / "set").mkdir()
    source = wheel("1.0", ASKED)
    (tmp_path / "set" / "plughost.toml").write_text(f'[plugins.weather]\nsource = "{source}"\n')
    refused = command("sync", "set", "--json", cwd=tmp_path)
    assert refused.returncode == 2
    assert refused.json()[0]["error"]["reference"] == "grant-needed"
    assert command("sync", "set", "--grant", "all", "--json", cwd=tmp_path).json()[0]["status"] == "added"
    assert command("info", "weather", "--json").json()["grant"]["memory"] == "8 GiB"
    assert command("sync", "set", "--json", cwd=tmp_path).json()[0]["status"] == "unchanged"
