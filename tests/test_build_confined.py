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
import zipfile
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


def check(came_of, *, network: str) -> None:
    assert came_of["secret"] == came_of["home"] == "FileNotFoundError"
    assert came_of["variables"] == "KeyError"
    assert came_of["program"] == "0"
    if network:
        assert came_of["network"] == network


def test_a_build_sees_neither_files_nor_network_and_leaves_nothing(hostile, tmp_path, store):
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "setup.py").write_text(hostile("hostile-build"))
    with Host(store=store) as host:
        host.add(str(tmp_path / "project"))
        check(host.call("hostile-build", "came_of"), network="PermissionError")


def test_a_dependency_that_has_to_be_built_sees_no_files_either(hostile, tmp_path, store, monkeypatch):
    (tmp_path / "links").mkdir()
    with tarfile.open(tmp_path / "links" / "hostile_dependency-1.0.tar.gz", "w:gz") as archive:
        files = {
            "setup.py": hostile("hostile-dependency"),
            "PKG-INFO": "Metadata-Version: 2.1\nName: hostile-dependency\nVersion: 1.0\n",
        }
        for name, text in files.items():
            info = tarfile.TarInfo(f"hostile_dependency-1.0/{name}")
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "links"))
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "user"\nversion = "1.0"\ndependencies = ["hostile-dependency"]\n'
        '[project.entry-points.plughost]\ncame_of = "user:came_of"\n'
    )
    (project / "user.py").write_text("from hostile_dependency import came_of\n")
    with Host(store=store) as host:
        host.add(str(project))
        check(host.call("user", "came_of"), network="")
        exported = host.export("user", tmp_path)  # for which it is built once more
    with zipfile.ZipFile(exported.path) as bundle:
        (name,) = (name for name in bundle.namelist() if "hostile_dependency" in name)
        bundle.extract(name, tmp_path)
    with zipfile.ZipFile(tmp_path / name) as wheel:
        assert "FileNotFoundError" in wheel.read("hostile_dependency.py").decode()
        assert "swordfish" not in wheel.read("hostile_dependency.py").decode()


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
