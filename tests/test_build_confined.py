"""What code may do that runs while a package is built: nobody knows it yet, and it is started by whoever adds the package."""

from __future__ import annotations

import io
import os
import select
import socket
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from plughost import BuildError, Host

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
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert f"sleep(600) {tmp_path}" not in running


def check(came_of) -> None:
    assert came_of["secret"] == came_of["home"] == "FileNotFoundError"
    assert came_of["variables"] == "KeyError"
    assert came_of["network"] == "PermissionError"
    assert came_of["program"] == "0"


@pytest.fixture
def links(tmp_path, monkeypatch):
    """`links(name, files)` puts an sdist where uv and pip find it."""
    folder = tmp_path / "links"
    folder.mkdir()
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))

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
    """`user(requirement)` is a plugin that has it, and offers what its module does."""

    def write(requirement: str, module: str) -> str:
        project = tmp_path / "user"
        project.mkdir()
        (project / "pyproject.toml").write_text(
            '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
            f'[project]\nname = "user"\nversion = "1.0"\ndependencies = ["{requirement}"]\n'
            "[tool.hatch.metadata]\nallow-direct-references = true\n"
            '[project.entry-points.plughost]\ncame_of = "user:came_of"\nhello = "user:hello"\n'
        )
        (project / "user.py").write_text(
            f"def hello(): return 'hello'\nfrom {module} import *\ncame_of = globals().get('came_of', hello)\n"
        )
        return str(project)

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
    project = user("hostile-dependency", "hostile_dependency")
    with Host(store=store) as host:
        host.add(project, installer=installer)
        check(host.call("user", "came_of"))
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
    name = "always"
    {built}
    with ZipFile(out + "/always-1.0-py3-none-any.whl", "a") as wheel:
        wheel.writestr("always.pth", {always!r})
    return "always-1.0-py3-none-any.whl"
"""


@pytest.mark.parametrize("installer", ["uv", "pip"])
@pytest.mark.parametrize("is_place", [True, False])
def test_nothing_of_a_dependency_is_run_to_lock_or_install_it(links, user, tmp_path, store, installer, is_place):
    outside = str(tmp_path / "outside")
    files = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": TRACING.format(
            outside=outside,
            always=f"import pathlib; pathlib.Path({outside!r}).touch()\n",
            built=BUILT.format(name="always").strip(),
        ),
    }
    links("always", files)
    if is_place:
        (tmp_path / "dependency").mkdir()
        for name, text in files.items():
            (tmp_path / "dependency" / name).write_text(text)
    requirement = f"always @ file://{tmp_path}/dependency" if is_place else "always"
    with Host(store=store) as host:
        host.add(user(requirement, "always"), installer=installer)
        assert host.call("user", "hello") == "hello"
    assert list(store.rglob("always.pth"))
    assert not Path(outside).exists()


def test_a_build_is_over_when_its_program_is_whoever_holds_its_pipes(backend, store, tmp_path):
    stays = f"os.fork() or os.execv('/bin/sh', ['sh', '-c', 'sleep 600; : {tmp_path}']); return []"
    with Host(store=store) as host:
        host.add(backend("left", asked=stays, built=BUILT.format(name="left").strip()))
        running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        assert f"sleep 600; : {tmp_path}" not in running


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


BUILT = """
    dist = "{name}-1.0.dist-info/"
    with ZipFile(out + "/{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("{name}.py", "def hello() -> str: return 'hello'")
        wheel.writestr(dist + "METADATA", "Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n")
        wheel.writestr(dist + "WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(dist + "entry_points.txt", "[plughost]\\nhello = {name}:hello\\n")
        wheel.writestr(dist + "RECORD", "".join(name + ",,\\n" for name in [*wheel.namelist(), dist + "RECORD"]))
"""


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
    added = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)  # or waits without end
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


def test_a_build_ends_with_its_host(backend, store, clean_environment):
    project = backend("slow", asked="import time; time.sleep(600)")
    command = [sys.executable, "-m", "plughost", "add", project]

    def is_there() -> bool:
        running = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True).stdout
        lines = [line for line in running.splitlines() if str(store) in line and "--confined" not in line]
        return any("get_requires_for_build_wheel" in line for line in lines)

    deadline = time.monotonic() + 60
    with subprocess.Popen(command, env={**clean_environment, "PLUGHOST_HOME": str(store)}, stderr=subprocess.DEVNULL) as host:
        try:
            while not is_there():
                assert time.monotonic() < deadline
                select.select([], [], [], 0.01)
        finally:
            host.kill()
    while is_there():
        assert time.monotonic() < deadline
        select.select([], [], [], 0.01)


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
