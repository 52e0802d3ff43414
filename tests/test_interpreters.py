import os
import sys
from pathlib import Path

import pytest

from plughost import _interpreters as interpreters
from plughost.errors import ResolveError, UsageError

OWN = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def only_path(tmp_path, monkeypatch):
    """A machine that has the host's own interpreter, the system's, and those that are put into this folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(folder))
    for name in ("PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    return folder


def claim(path: Path, version: str) -> Path:
    """An executable that answers as an interpreter of this version would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {version}\necho {path}\n")
    path.chmod(0o755)
    return path


def test_the_hosts_own_base_interpreter_is_the_first_choice():
    found = interpreters.find(">=3.8")
    assert found == interpreters.own()
    assert found.executable == os.path.realpath(sys._base_executable)
    assert found.version.startswith(OWN + ".")


def test_the_newest_that_fits_is_chosen_where_the_hosts_own_does_not(only_path):
    claim(only_path / "python3.97", "3.97.1")
    claim(only_path / "python3.98", "3.98.0")
    claim(only_path / "python3.99", "3.99.0")
    assert interpreters.find(">=3.90,<3.99").version == "3.98.0"


def test_a_patch_release_that_is_too_old_is_passed_over(only_path):
    claim(only_path / "python3.99", "3.99.1")
    claim(only_path / "python3.98", "3.98.7")
    assert interpreters.find(">=3.98,!=3.99.1").version == "3.98.7"


def test_shims_are_never_started(only_path, monkeypatch):
    claim(only_path.parent / "shims" / "python3.99", "3.99.0")
    monkeypatch.setenv("PATH", f"{only_path.parent / 'shims'}:{only_path}")
    with pytest.raises(ResolveError) as caught:
        interpreters.find("==3.99.*")
    assert caught.value.reference == "python-missing"


@pytest.mark.usefixtures("only_path")
def test_interpreters_of_version_managers_are_found_without_path():
    home = Path(os.environ["HOME"])
    claim(home / ".pyenv/versions/3.98.4/bin/python3.98", "3.98.4")
    claim(home / ".local/share/uv/python/cpython-3.99.2-linux/bin/python3.99", "3.99.2")
    assert interpreters.find(requested="3.98").version == "3.98.4"
    assert interpreters.find(requested="python3.99").version == "3.99.2"
    assert interpreters.find(requested="3.99.2").version == "3.99.2"


def test_an_interpreter_that_does_not_start_is_passed_over(only_path):
    claim(only_path / "python3.98", "3.98.0")
    broken = only_path / "python3.99"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    assert interpreters.find(">=3.98").version == "3.98.0"


def test_the_python_of_a_virtual_environment_stands_for_its_base(tmp_path):
    import virtualenv

    virtualenv.cli_run(["--no-seed", "-p", interpreters.own().executable, str(tmp_path / "venv")])
    found = interpreters.find(requested=str(tmp_path / "venv" / "bin" / "python"))
    assert found == interpreters.own()


def test_a_missing_interpreter_is_an_error_that_lists_those_found(only_path):
    claim(only_path / "python3.98", "3.98.0")
    with pytest.raises(ResolveError) as caught:
        interpreters.find(">=4")
    error = caught.value
    assert error.reference == "python-missing"
    assert error.message == "There is no Python `>=4` on this machine"
    assert "3.98.0" in error.causes[0]
    assert interpreters.own().version in error.causes[0]
    assert "uv python install '>=4'" in error.hint


def test_a_requested_interpreter_that_does_not_fit_is_refused(only_path):
    claim(only_path / "python3.98", "3.98.0")
    with pytest.raises(ResolveError) as caught:
        interpreters.find(">=3.99", requested="3.98")
    assert caught.value.reference == "python-incompatible"
    assert caught.value.message == "Python 3.98.0, which `3.98` names, is not one this package runs on"


def test_a_path_that_is_no_interpreter_is_refused(tmp_path):
    with pytest.raises(ResolveError, match="is not a Python interpreter") as caught:
        interpreters.find(requested=str(tmp_path / "python"))
    assert caught.value.reference == "python-missing"


def test_a_request_that_is_no_version_is_a_usage_error():
    with pytest.raises(UsageError, match="names no Python"):
        interpreters.find(requested="the newest")


@pytest.mark.usefixtures("only_path")
def test_a_package_for_pythons_that_are_too_old_is_not_told_to_install_one():
    with pytest.raises(ResolveError) as caught:
        interpreters.find("<3.8")
    assert caught.value.reference == "python-incompatible"
    assert caught.value.message == "The package runs on Python `<3.8` alone, and plughost runs plugins on Python `>=3.8`"
