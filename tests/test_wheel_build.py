import sys
import textwrap
from pathlib import Path

import pytest

from plughost import _installer, _interpreters, wheel
from plughost.errors import BuildError, InstallError
from plughost.paths import Store
from plughost.source import Origin, SourceTree
from plughost.wheel._environment import keepable

PYTHON = _interpreters.own()

#: A backend inside the source tree needs nothing from an index.
IN_TREE = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


@pytest.fixture(scope="session")
def session_store(tmp_path_factory, uv_cache):
    cache = tmp_path_factory.mktemp("store") / "cache"
    cache.mkdir()
    (cache / "uv").symlink_to(uv_cache, target_is_directory=True)
    return Store(cache.parent)


@pytest.fixture(params=["uv", "pip"])
def installer(request, session_store):
    return _installer.choose(session_store, request.param)


@pytest.fixture
def uv(session_store):
    return _installer.choose(session_store, "uv")


def tree(folder: Path, pyproject: str, requires: tuple[str, ...] = (), **files: str):
    folder.mkdir()
    (folder / "pyproject.toml").write_text(textwrap.dedent(pyproject))
    for name, text in files.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(text))
    origin = Origin(kind="git", commit_id="3f2a1c0d" * 5)
    return SourceTree(path=folder, origin=origin, epoch=1_700_000_000, build_requires=requires, name="weather")


def flit_tree(folder: Path, **options):
    project = """
        [build-system]
        requires = ["flit-core>=3.8"]
        build-backend = "flit_core.buildapi"
        [project]
        name = "weather"
        version = "1.2"
        description = "Says how the weather is"
        requires-python = ">=3.8"
    """
    return tree(folder, project, ("flit-core>=3.8",), weather="def forecast(): ...", **options)


def build(source, installer, into: Path, *, offline: bool = False):
    into.mkdir()
    return wheel.build(source, installer=installer, python=PYTHON, into=into, offline=offline, log=into.parent / "build.log")


def test_two_checkouts_of_one_commit_give_the_same_bytes(installer, tmp_path):
    first = build(flit_tree(tmp_path / "a"), installer, tmp_path / "out-a")
    second = build(flit_tree(tmp_path / "b"), installer, tmp_path / "out-b")
    assert (first.name, first.version) == ("weather", "1.2")
    assert first.sha256 == second.sha256
    assert [path.name for path in (tmp_path / "out-a").iterdir()] == ["weather-1.2-py3-none-any.whl"]


def test_the_build_environment_is_made_once_and_made_anew_when_damaged(store, tmp_path):
    uv = _installer.choose(Store(store), "uv")
    build(flit_tree(tmp_path / "a"), uv, tmp_path / "out-a")
    (environment,) = (store / "cache" / "build").iterdir()
    (backend,) = environment.glob("lib/python3*/site-packages/flit_core/buildapi.py")
    build(flit_tree(tmp_path / "b"), uv, tmp_path / "out-b")
    last_call = (tmp_path / "build.log").read_text().rpartition("$ ")[2]
    assert last_call.startswith(f"{environment}/bin/python -I ")
    backend.unlink()
    build(flit_tree(tmp_path / "c"), uv, tmp_path / "out-c")
    assert not environment.exists(), "the damaged environment is still in use"
    build(flit_tree(tmp_path / "d"), uv, tmp_path / "out-d")
    assert backend.exists()


def test_a_backend_that_raises_is_named_by_its_exception(installer, tmp_path):
    backend = """
        import sys
        print("error: No space left on device", file=sys.stderr)
        print("  × No space left on device", file=sys.stderr)
        def build_wheel(*arguments):
            raise ValueError("the weather is bad")
        prepare_metadata_for_build_wheel = build_wheel
    """
    with pytest.raises(BuildError) as caught:
        build(tree(tmp_path / "source", IN_TREE, backend=backend), installer, tmp_path / "out")
    error = caught.value
    assert error.message == "Failed to build a wheel from `weather` at `3f2a1c0`"
    assert error.reference == "build-failed"  # and not `disk-full`, as which its output poses
    assert error.causes == ("ValueError: the weather is bad",)
    assert 'raise ValueError("the weather is bad")' in Path(error.log).read_text()


def test_a_build_requirement_that_does_not_exist_is_the_cause(uv, tmp_path):
    project = """
        [build-system]
        requires = ["flit-core>=99"]
        build-backend = "flit_core.buildapi"
    """
    with pytest.raises(BuildError) as caught:
        build(tree(tmp_path / "source", project, ("flit-core>=99",)), uv, tmp_path / "out")
    assert caught.value.reference == "build-requires"
    assert "flit-core" in " ".join(caught.value.causes)


def test_offline_with_an_empty_cache_says_so(tmp_path):
    uv = _installer.choose(Store(tmp_path / "store"), "uv")
    with pytest.raises(InstallError) as caught:
        build(flit_tree(tmp_path / "source"), uv, tmp_path / "out", offline=True)
    assert caught.value.reference == "offline"
    assert caught.value.hint == "Repeat the command without `--offline`"


def test_a_folder_that_is_no_project_says_so(uv, tmp_path):
    source = tree(tmp_path / "source", "")
    (source.path / "pyproject.toml").unlink()
    with pytest.raises(InstallError) as caught:
        build(source, uv, tmp_path / "out")
    assert caught.value.reference == "not-a-python-project"


def test_the_backend_sees_no_secret_and_may_write_bytecode(uv, tmp_path, monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "hunter2")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    backend = """
        import os
        def build_wheel(*arguments):
            raise ValueError(sorted({"MY_API_KEY", "PYTHONDONTWRITEBYTECODE"} & set(os.environ)))
    """
    with pytest.raises(BuildError) as caught:
        build(tree(tmp_path / "source", IN_TREE, backend=backend), uv, tmp_path / "out")
    assert caught.value.causes == ("ValueError: []",)


def test_only_known_backends_are_kept(tmp_path):
    assert keepable(tmp_path, ["hatchling>=1", "hatch-vcs"])
    assert not keepable(tmp_path, ["hatchling", "numpy"])
    assert not keepable(tmp_path, ["setuptools @ https://example.org/setuptools-1-py3-none-any.whl"])
    assert not keepable(tmp_path, [])
    (tmp_path / "setup.py").write_text("setup(setup_requires=['setuptools_scm'])")
    assert not keepable(tmp_path, ["setuptools"])


def test_the_python_of_the_wheel_is_the_one_that_was_chosen(uv, tmp_path):
    backend = """
        import sys
        def build_wheel(*arguments):
            raise ValueError(sys.version.split()[0])
    """
    with pytest.raises(BuildError) as caught:
        build(tree(tmp_path / "source", IN_TREE, backend=backend), uv, tmp_path / "out")
    assert caught.value.causes == (f"ValueError: {sys.version.split()[0]}",)


def test_a_note_in_place_of_a_file_that_git_lfs_keeps_is_no_part_of_a_wheel(uv, tmp_path):
    backend = f"""
        import zipfile
        def build_wheel(folder, *_):
            with zipfile.ZipFile(folder + "/weather-1-py3-none-any.whl", "w") as archive:
                note = "version https://git-lfs.github.com/spec/v1\\noid sha256:{"a" * 64}\\nsize 12345\\n"
                archive.writestr("weather/model.bin", note)
            return "weather-1-py3-none-any.whl"
    """
    with pytest.raises(BuildError) as caught:
        build(tree(tmp_path / "source", IN_TREE, backend=backend), uv, tmp_path / "out")
    assert caught.value.reference == "wheel-invalid"
    assert caught.value.message.startswith("`weather/model.bin` in the wheel is not the file")


def test_of_a_flood_the_log_keeps_the_beginning_and_the_end(uv, tmp_path):
    backend = """
        print("first")
        print("x" * (8 << 20), flush=True)
        raise ValueError("the weather is bad")
    """
    with pytest.raises(BuildError) as caught:
        build(tree(tmp_path / "source", IN_TREE, backend=backend), uv, tmp_path / "out")
    log = Path(caught.value.log)
    assert caught.value.causes == ("ValueError: the weather is bad",)
    assert log.stat().st_size < 5 << 20
    assert all(text in log.read_text() for text in ("first", "ValueError: the weather is bad"))
