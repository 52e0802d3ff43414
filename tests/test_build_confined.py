"""What code may do that runs while a package is built: nobody knows it yet, and it is started by whoever adds the package."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import tarfile
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
