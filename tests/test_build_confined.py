"""What code may do that runs while a package is built: nobody knows it yet, and it is started by whoever adds the package."""

from __future__ import annotations

import io
import os
import select
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zipfile import ZipFile

import pytest

from plughost import BuildError, Host
from plughost.sandbox._unconfined import build_not_confined

WAIT_S = 60

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="confines by the Linux kernel"),
    pytest.mark.usefixtures("confined"),
]

#: A `setup.py` that tries what a build should not, and packs what came of it.
SETUP = """
import os, socket, subprocess, sys
from setuptools import setup

came_of = {{}}

def attempt(name, function):
    try:
        came_of[name] = repr(function())
    except BaseException as error:
        came_of[name] = type(error).__name__

def stay():
    if not os.fork():
        os.closerange(0, 3)  # uv would wait for whoever holds its pipes
        os.setsid()
        os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)", {mark!r}])

attempt("secret", lambda: open({secret!r}).read())
attempt("home", lambda: open({home!r}).read())
attempt("network", lambda: socket.create_connection(("127.0.0.1", {port}), 5))
attempt("variables", lambda: os.environ["PLUGHOST_TEST_SECRET"])
attempt("outside", lambda: open({outside!r}, "w").write("x"))
attempt("program", lambda: subprocess.run(["true"], check=True).returncode)
attempt("stay", stay)
with open("{module}.py", "w") as file:
    file.write("def came_of():\\n    return " + repr(came_of))
setup(name="{name}", version="1.0", py_modules=["{module}"], entry_points={{"plughost": ["came_of = {module}:came_of"]}})
"""


#: What a backend does to put a wheel into the folder `out`.
BUILT = """
    dist = "{name}-1.0.dist-info/"
    with ZipFile(out + "/{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("{name}.py", "def hello() -> str: return 'hello'")
        wheel.writestr(dist + "METADATA", "Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n")
        wheel.writestr(dist + "WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(dist + "entry_points.txt", "[plughost]\\nhello = {name}:hello\\n")
        wheel.writestr(dist + "RECORD", "".join(name + ",,\\n" for name in [*wheel.namelist(), dist + "RECORD"]))
"""

#: The settings of a project that has such a backend in its own folder, and needs nothing else.
ALONE = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """`hostile(name)` is such a `setup.py`; where it ends, nothing of it must be left."""
    monkeypatch.setenv("PLUGHOST_TEST_SECRET", "swordfish")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".netrc").write_text("swordfish")
    (tmp_path / "secret").write_text("swordfish")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def write(name: str) -> str:
            return SETUP.format(
                name=name,
                module=name.replace("-", "_"),
                secret=str(tmp_path / "secret"),
                home=str(tmp_path / "home" / ".netrc"),
                port=listener.getsockname()[1],
                outside=str(tmp_path / "outside"),
                mark=str(tmp_path),
            )

        yield write
    assert not (tmp_path / "outside").exists()
    wait_until_none_runs(f"sleep(600) {tmp_path}")


def wait_until_none_runs(said: str) -> None:
    """Until no process's command line says that: what was killed takes a moment to be gone."""
    deadline = time.monotonic() + WAIT_S
    while said in subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True).stdout:
        assert time.monotonic() < deadline, "it lives on"
        select.select([], [], [], 0.01)


def check(came_of) -> None:
    assert came_of["secret"] == came_of["home"] == "FileNotFoundError"
    assert came_of["variables"] == "KeyError"
    assert came_of["network"] == "PermissionError"
    assert came_of["program"] == "0"


@pytest.fixture(scope="module")
def pip_programs(tmp_path_factory):
    """pip, unpacked and compiled once."""
    return tmp_path_factory.mktemp("pip-programs")


@pytest.fixture
def links(tmp_path, monkeypatch, store, pip_programs):
    """`links(name, files)` puts an sdist where uv and pip find it."""
    folder = tmp_path / "links"
    folder.mkdir()
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    (store / "cache" / "pip-programs").symlink_to(pip_programs)

    def add(name: str, files: dict[str, str]) -> Path:
        stem = f"{name.replace('-', '_')}-1.0"
        files = {"PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", **files}
        with tarfile.open(folder / f"{stem}.tar.gz", "w:gz") as archive:
            for path, text in files.items():
                info = tarfile.TarInfo(f"{stem}/{path}")
                info.size = len(text.encode())
                archive.addfile(info, io.BytesIO(text.encode()))
        return folder / f"{stem}.tar.gz"

    return add


@pytest.fixture
def user(tmp_path):
    """`user(requirement, …)` is the wheel of a plugin that has these, and offers `hello`, and what the first one has."""

    def write(*requirements: str) -> str:
        path = tmp_path / "user-1.0-py3-none-any.whl"
        module = requirements[0].partition(" ")[0].replace("-", "_")
        needed = "".join(f"Requires-Dist: {requirement}\n" for requirement in requirements)
        files = {
            "user.py": f"def hello(): return 'hello'\nfrom {module} import *\ncame_of = globals().get('came_of', hello)\n",
            "user-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: user\nVersion: 1.0\n{needed}",
            "user-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "user-1.0.dist-info/entry_points.txt": "[plughost]\ncame_of = user:came_of\nhello = user:hello\n",
        }
        with ZipFile(path, "w") as wheel:
            for name, text in files.items():
                wheel.writestr(name, text)
            wheel.writestr("user-1.0.dist-info/RECORD", "".join(f"{name},,\n" for name in [*files, "user-1.0.dist-info/RECORD"]))
        return str(path)

    return write


def test_a_build_sees_neither_files_nor_network_and_leaves_nothing(hostile, tmp_path, store):
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "setup.py").write_text(hostile("hostile-build"))
    with Host(store=store) as host:
        host.add(str(tmp_path / "project"))
        check(host.call("hostile-build", "came_of"))


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_dependency_that_has_to_be_built_is_confined_as_well_and_its_wheel_kept(
    hostile, links, user, tmp_path, store, installer
):
    sdist = links("hostile-dependency", {"setup.py": hostile("hostile-dependency")})
    project = user("hostile-dependency")
    with Host(store=store) as host:
        host.add(project, installer=installer)
        check(host.call("user", "came_of"))
        host.add(project, installer=installer, offline=True, force=True)
        sdist.rename(tmp_path / "elsewhere.tar.gz")  # what was built is there without it
        exported = host.export("user", tmp_path)
        host.remove("user")
        host.add(str(exported.path))
        check(host.call("user", "came_of"))
    assert Path(exported.path).stat().st_size


def test_a_build_requirement_that_has_to_be_built_is_built_first_and_runs_nowhere_else(hostile, links, backend, store):
    links("hostile-tool", {"setup.py": hostile("hostile-tool")})
    project = Path(backend("made", asked="import hostile_tool; return []", built=BUILT.format(name="made").strip()))
    settings = project / "pyproject.toml"
    settings.write_text(settings.read_text().replace("requires = []", 'requires = ["hostile-tool"]'))
    with Host(store=store) as host:
        host.add(str(project))
        assert host.call("made", "hello") == "hello"


#: A backend that leaves a trace where it must not, when it is imported and when its wheel is.
TRACING = """
import os
from contextlib import suppress
from zipfile import ZipFile
with suppress(OSError):
    open({outside!r}, "w").close()
def build_wheel(out, settings=None, metadata=None):
    {built}
    with ZipFile(out + "/{name}-1.0-py3-none-any.whl", "a") as wheel:
        wheel.writestr("{name}.pth", {always!r})
    return "{name}-1.0-py3-none-any.whl"
"""


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_nothing_of_a_dependency_is_run_to_lock_or_install_it(links, user, tmp_path, store, installer):
    outside = str(tmp_path / "outside")

    def files(name: str) -> dict[str, str]:
        always = f"import pathlib; pathlib.Path({outside!r}).touch()\n"
        built = BUILT.format(name=name).strip()
        return {"pyproject.toml": ALONE, "backend.py": TRACING.format(name=name, outside=outside, always=always, built=built)}

    links("always", files("always"))
    archived = links("archived", files("archived")).rename(tmp_path / "archived.tar.gz")
    (tmp_path / "placed").mkdir()
    for name, text in files("placed").items():
        (tmp_path / "placed" / name).write_text(text)
    with Host(store=store) as host:
        host.add(user("always", f"placed @ file://{tmp_path}/placed", f"archived @ file://{archived}"), installer=installer)
        assert host.call("user", "hello") == "hello"
        host.export("user", tmp_path)  # which finds the folder, wherever it looks from
    assert list(store.rglob("always.pth"))
    assert list(store.rglob("placed.pth"))
    assert list(store.rglob("archived.pth"))
    assert not Path(outside).exists()


#: A backend that asks git, as those do that take the version from it, and packs the file of a submodule beside its own.
ASKING = """
import idna, os, subprocess
from zipfile import ZipFile
def build_wheel(out, settings=None, metadata=None):
    subprocess.run(["git", "status", "--porcelain"], check=True, capture_output=True)
    assert subprocess.run(["git", "describe", "--tags"], check=True, capture_output=True).stdout == b"v1.0\\n"
    assert "not-to-be-seen" not in "".join(open(path).read() for path in ("../.git/config", "../.git/modules/inner/config"))
    os.stat("../inner/inner.py")
    {built}
    return "{name}-1.0-py3-none-any.whl"
"""


def test_a_dependency_is_built_from_a_folder_of_a_repository_with_all_that_is_above_it(user, tmp_path, store, monkeypatch):
    def git(folder: Path, *arguments: str) -> None:
        subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)

    settings = {"protocol.file.allow": "always", "user.name": "A", "user.email": "a@example.org", "commit.gpgsign": "false"}
    monkeypatch.setenv("GIT_CONFIG_COUNT", str(len(settings)))
    for number, (key, value) in enumerate(settings.items()):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", key)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    inner, outer = tmp_path / "not-to-be-seen-inner", tmp_path / "not-to-be-seen-outer"
    for folder in (inner, outer / "package"):
        folder.mkdir(parents=True)
    (inner / "inner.py").write_text("")
    (outer / "package" / "pyproject.toml").write_text(ALONE.replace("[]", '["idna"]', 1))
    (outer / "package" / "backend.py").write_text(ASKING.format(name="nested", built=BUILT.format(name="nested").strip()))
    for folder in (inner, outer):
        git(folder, "init", "--quiet")
        if folder == outer:
            git(outer, "submodule", "add", "--name", "inner", inner.as_uri(), "inner")
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message=A package")
    git(outer, "tag", "v1.0")
    with Host(store=store) as host:
        host.add(user(f"nested @ git+{outer.as_uri()}#subdirectory=package"))
        assert host.call("user", "hello") == "hello"


def test_an_archive_is_fetched_with_the_password_that_its_url_has_and_found_again_offline(links, user, store):
    archive = links("behind", {"pyproject.toml": ALONE, "backend.py": GIVING.format(built=BUILT.format(name="behind").strip())})
    content = archive.read_bytes()

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers.get("Authorization") == "Basic " + b64encode(b"ann:se/cret").decode()
            self.send_response(200 if known else 401)
            self.send_header("WWW-Authenticate", 'Basic realm="test"')
            self.send_header("Content-Length", str(len(content) if known else 0))
            self.end_headers()
            self.wfile.write(content if known else b"")

        do_HEAD = do_GET  # noqa: N815 - as the base class has it

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        plugin = user(f"behind @ http://ann:se%2Fcret@127.0.0.1:{server.server_port}/{archive.name}")
        with Host(store=store) as host:
            host.add(plugin)
            server.shutdown()
            host.add(plugin, offline=True, force=True)
            assert host.call("user", "hello") == "hello"
    locks = list(store.glob("plugins/plughost/user/*/pylock.toml"))
    assert locks
    assert not any("cret@" in lock.read_text() for lock in locks)


#: A backend that does what is asked of it.
GIVING = """
from zipfile import ZipFile
def build_wheel(out, settings=None, metadata=None):
    {built}
    return "behind-1.0-py3-none-any.whl"
"""


def test_a_build_is_over_when_its_program_is_whoever_holds_its_pipes(backend, store, tmp_path):
    stays = f"os.fork() or os.execv('/bin/sh', ['sh', '-c', 'sleep 600; : {tmp_path}']); return []"
    with Host(store=store) as host:
        host.add(backend("left", asked=stays, built=BUILT.format(name="left").strip()))
        wait_until_none_runs(f"sleep 600; : {tmp_path}")


@pytest.mark.parametrize(
    ("setting", "value", "does", "said"),
    [
        ("MEMORY", "100MiB", "x = b'x' * (150 << 20); import time; time.sleep(60)", "its memory was"),
        ("DISK", "10MiB", "open('large', 'wb').write(b'x' * (15 << 20)); import time; time.sleep(60)", "it had written"),
        ("PROCESSES", "5", "import time; [os.fork() or time.sleep(60) for _ in range(9)]; time.sleep(60)", "processes"),
    ],
)
def test_a_build_that_takes_too_much_is_ended(backend, store, monkeypatch, setting, value, does, said):
    monkeypatch.setenv(f"PLUGHOST_BUILD_{setting}", value)
    with Host(store=store) as host, pytest.raises(BuildError) as raised:
        host.add(backend("greedy", asked=does))
    assert raised.value.reference == "build-limit"
    assert said in raised.value.causes[0]


def test_an_archive_that_would_fill_the_disk_is_not_unpacked(tmp_path, store, monkeypatch):
    monkeypatch.setattr("plughost.wheel._unpack._SUSPECT_BYTES", 1 << 20)  # as if that were as much as a gibibyte
    with tarfile.open(tmp_path / "bomb-1.0.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("bomb-1.0/zeros")
        info.size = 4 << 20
        archive.addfile(info, io.BytesIO(bytes(info.size)))
    with Host(store=store) as host, pytest.raises(BuildError) as raised:
        host.add(str(tmp_path / "bomb-1.0.tar.gz"))
    assert raised.value.message == "`bomb-1.0.tar.gz` is not unpacked: it would fill the disk"


def test_a_build_that_ends_as_one_that_could_not_be_confined_has_failed_all_the_same(backend, store):
    with Host(store=store) as host, pytest.raises(BuildError) as raised:
        host.add(backend("ending", asked="os.write(1, b'so long'); os._exit(77)"))
    assert raised.value.causes[0] == "The build backend ended with code 77"


def test_a_build_that_could_not_be_confined_is_told_of_as_that():
    said = "plughost: this process can't be confined: enter tree: there is none\n"
    error = build_not_confined(77, "", said)
    assert error is not None
    assert (error.reference, error.causes) == ("confinement-failed", ("The step `enter tree` failed: there is none",))
    assert build_not_confined(77, "so long", said) is None
    assert build_not_confined(77, "", f"building\n{said}") is None
    assert build_not_confined(1, "", said) is None


def test_what_a_build_asks_for_beyond_its_project_is_there_before_it_runs(tmp_path, store):
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "setup.py").write_text(
        "from setuptools import setup\n"
        "setup(name='asking', version='1.0', setup_requires=['pluggy'], py_modules=['asking'],\n"
        "      entry_points={'plughost': ['answer = asking:answer']})\n"
    )
    (tmp_path / "project" / "asking.py").write_text("def answer():\n    return 42\n")
    with Host(store=store) as host:
        host.add(str(tmp_path / "project"))
        assert host.call("asking", "answer") == 42


@pytest.mark.parametrize(
    "asked", ["made @ http://127.0.0.1:{port}/seen/made-1.0-py3-none-any.whl", "made @ file://{folder}", "{folder}"]
)
def test_what_a_build_asks_for_while_it_runs_leads_nowhere_but_to_the_index(backend, store, tmp_path, asked):
    with socket.create_server(("127.0.0.1", 0)) as server, Host(store=store) as host:
        server.settimeout(0)
        asked = asked.format(port=server.getsockname()[1], folder=tmp_path)
        with pytest.raises(BuildError) as raised:
            host.add(backend("made", asked=f"return [{asked!r}]"))
        with pytest.raises(BlockingIOError):
            server.accept()
    assert raised.value.causes == (f"The build backend asks for {asked!r}, and may ask for names of the index alone",)


def test_a_build_that_fails_says_with_what(tmp_path, store):
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "setup.py").write_text("raise RuntimeError('no luck today')\n")
    with Host(store=store) as host, pytest.raises(BuildError) as raised:
        host.add(str(tmp_path / "project"))
    assert raised.value.causes == ("The build backend ended with code 1", "RuntimeError: no luck today")
    assert "no luck today" in Path(os.fspath(raised.value.log)).read_text()


@pytest.fixture
def backend(tmp_path):
    """`backend(name, asked=…, built=…)` is a project with a build backend of its own, in which `out` is the folder to fill."""

    def write(name: str, *, asked: str = "return []", built: str = "raise SystemExit(3)") -> str:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "pyproject.toml").write_text(
            '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
            f'[project]\nname = "{name}"\nversion = "1.0"\n'
        )
        (folder / "backend.py").write_text(
            "import os, __main__\nfrom zipfile import ZipFile\nout, source = __main__.out, __main__.source\n"
            f"def get_requires_for_build_wheel(settings=None):\n    {asked}\n"
            f"def build_wheel(folder, settings=None):\n    {built}\n"
        )
        return str(folder)

    return write


def test_a_backend_that_comes_along_may_need_nothing(backend, store):
    with Host(store=store) as host:
        host.add(backend("alone", built=BUILT.format(name="alone").strip()))
        assert host.call("alone", "hello") == "hello"


@pytest.mark.parametrize(
    ("asked", "built"),
    [
        ("os.mkfifo(out + '/requires.json'); os._exit(0)", ""),
        ("os.symlink('/dev/zero', out + '/requires.json'); os._exit(0)", ""),
        ("os.symlink({outside!r}, out + '/requires.json'); os._exit(0)", ""),
        ("os.unlink(source + '/pyproject.toml'); os.mkfifo(source + '/pyproject.toml'); return []", ""),
        ("return []", "os.mkfifo(out + '/made-1.0-py3-none-any.whl')"),
        ("return []", "os.symlink({outside!r}, out + '/made-1.0-py3-none-any.whl')"),
    ],
)
def test_what_a_build_puts_in_the_place_of_an_answer_is_not_followed(backend, store, tmp_path, clean_environment, asked, built):
    (tmp_path / "outside").write_text('["swordfish"]')
    outside = {"outside": str(tmp_path / "outside")}
    project = backend("made", asked=asked.format(**outside), built=built.format(**outside) or "raise SystemExit(3)")
    command = [sys.executable, "-m", "plughost", "add", project, "--json"]
    env = {**clean_environment, "PLUGHOST_HOME": str(store)}
    added = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert added.returncode
    assert "Traceback" not in added.stderr
    assert "swordfish" not in added.stdout + added.stderr
    (tmp_path / "outside").unlink()


def test_folders_deeper_than_python_can_descend_are_deleted(backend, store):
    deep = backend("deep", asked="[(os.mkdir('d'), os.chdir('d')) for _ in range(1500)]; return []")
    with Host(store=store) as host:
        with pytest.raises(BuildError):
            host.add(deep)
        assert list((store / "tmp").iterdir()) == []


def test_a_build_ends_with_its_host_and_nothing_is_kept_of_it(links, backend, user, store, clean_environment):
    def pack(asked: str) -> None:
        project = Path(backend("slow", asked=asked, built=BUILT.format(name="slow").strip()))
        links("slow", {name: (project / name).read_text() for name in ("pyproject.toml", "backend.py")})
        shutil.rmtree(project)

    def is_there() -> bool:
        running = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True).stdout
        lines = [line for line in running.splitlines() if str(store) in line and "--confined" not in line]
        return any("get_requires_for_build_wheel" in line for line in lines)

    pack("import time; time.sleep(600)")
    command = [sys.executable, "-m", "plughost", "add", user("slow")]
    env = {**clean_environment, "PLUGHOST_HOME": str(store), "UV_FIND_LINKS": os.environ["UV_FIND_LINKS"]}
    deadline = time.monotonic() + 3 * WAIT_S
    with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as host:
        try:
            while not is_there():
                assert time.monotonic() < deadline
                select.select([], [], [], 0.01)
        finally:
            host.kill()
    while is_there():
        assert time.monotonic() < deadline
        select.select([], [], [], 0.01)
    assert not (store / "cache" / "built").exists()
    pack("return []")
    with Host(store=store) as again:
        again.add(user("slow"))
        assert again.call("user", "hello") == "hello"


@pytest.mark.parametrize("has_filter", [True, False])
def test_an_sdist_is_unpacked_by_every_python(backend, store, tmp_path, monkeypatch, has_filter):
    if not has_filter:  # as before 3.11.4
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    with tarfile.open(tmp_path / "packed-1.0.tar.gz", "w:gz") as archive:
        archive.add(backend("packed", built=BUILT.format(name="packed").strip()), "packed-1.0")
        out = tarfile.TarInfo("packed-1.0/../../../escaped")
        if not has_filter:
            archive.addfile(out)
    with Host(store=store) as host:
        host.add(str(tmp_path / "packed-1.0.tar.gz"))
        assert host.call("packed", "hello") == "hello"
    assert not list(tmp_path.rglob("escaped"))


def test_a_build_changes_nothing_of_what_others_have_from_the_cache(backend, store, tmp_path, monkeypatch):
    (store / "cache" / "uv").unlink()  # a cache that others share would be changed for them, too
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path))
    poison = (
        "above = [os.path.join(source, *[os.pardir] * count, 'archive-v0') for count in range(9)]\n"
        "    found = [os.path.join(where, 'idna', 'core.py') for top in above for where, _, _ in os.walk(top)]\n"
        "    for path in filter(os.path.exists, found): open(path, 'a').write('\\npoisoned = True\\n')\n"
    )
    built = BUILT.format(name="hostile_dependency").strip()
    project = Path(backend("hostile_dependency"))
    script = project / "backend.py"
    script.write_text(
        "import os\nfrom zipfile import ZipFile\ndef build_wheel(out, settings=None, metadata=None):\n"
        f"    source = os.getcwd()\n    {poison}    {built}\n    return 'hostile_dependency-1.0-py3-none-any.whl'\n"
    )
    (project / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: hostile_dependency\nVersion: 1.0\n")
    with tarfile.open(tmp_path / "hostile_dependency-1.0.tar.gz", "w:gz") as archive:
        archive.add(project, "hostile_dependency-1.0")
    with Host(store=store) as host:
        for name, needed in (("victim", "idna"), ("user", "hostile_dependency")):
            folder = tmp_path / f"{name}-source"
            folder.mkdir()
            (folder / "pyproject.toml").write_text(
                '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
                f'[project]\nname = "{name}"\nversion = "1.0"\ndependencies = ["{needed}"]\n'
                f'[project.entry-points.plughost]\nhello = "{name}:hello"\n'
            )
            (folder / f"{name}.py").write_text(f"import {needed}\ndef hello():\n    return 'hello'\n")
            host.add(str(folder))
        assert host.call("user", "hello") == "hello"
    cores = list(store.rglob("idna/core.py"))
    assert cores
    assert not any("poisoned" in path.read_text() for path in cores)
