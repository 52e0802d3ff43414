"""What a source tree says of itself without being run: its metadata, and what it lacks."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from plughost.errors import SourceError
from plughost.source import SourceTree, check_out, parse, resolve

if TYPE_CHECKING:
    from pathlib import Path

PYPROJECT = '[build-system]\nrequires = ["hatchling"]\n[project]\nname = "weather"\nversion = "1"\nrequires-python = ">=3.8"\n'


def tree_of(path: Path, into: Path) -> SourceTree:
    source = parse(str(path))
    into.mkdir()
    return check_out(source, resolve(source), into)


def folder_with(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"pyproject.toml": PYPROJECT}, ("weather", ">=3.8", ("hatchling",), ())),
        ({"pyproject.toml": f'{PYPROJECT}dependencies = ["idna"]\n'}, ("weather", ">=3.8", ("hatchling",), ("idna",))),
        ({"pyproject.toml": f'{PYPROJECT}dynamic = ["dependencies"]\n'}, ("weather", ">=3.8", ("hatchling",), None)),
        ({"pyproject.toml": "[tool.black]\n", "setup.py": ""}, ("", "", None, None)),
        ({"setup.cfg": "[metadata]\nname = w\n[options]\npython_requires = >=3.9\n"}, ("w", ">=3.9", None, None)),
        ({"setup.cfg": "no section\n"}, ("", "", None, None)),
    ],
)
def test_metadata_is_read_from_the_files_alone(tmp_path, files, expected):
    tree = tree_of(folder_with(tmp_path / "weather", files), tmp_path / "tree")
    assert (tree.name, tree.requires_python, tree.build_requires, tree.dependencies) == expected


def test_settings_of_tools_alone_make_no_project_of_a_package_of_the_older_kind(tmp_path):
    files = {"pyproject.toml": "[tool.black]\n", "package.yaml": "name: old\nentry_point: old.run\n", "old.py": "def run(): ..."}
    assert tree_of(folder_with(tmp_path / "old", files), tmp_path / "tree").name == "old"


def test_a_damaged_pyproject_is_told_with_the_line(tmp_path):
    folder = folder_with(tmp_path / "weather", {"pyproject.toml": '[project]\nname = "weather\n'})
    with pytest.raises(SourceError) as caught:
        tree_of(folder, tmp_path / "tree")
    assert caught.value.reference == "package-file-invalid"
    assert "line 2" in caught.value.causes[0]


def test_a_folder_without_a_project_is_told_with_those_below(tmp_path):
    folder = folder_with(tmp_path / "several", {"plugins/weather/pyproject.toml": PYPROJECT, "readme.txt": ""})
    with pytest.raises(SourceError) as caught:
        tree_of(folder, tmp_path / "tree")
    assert caught.value.record() == {
        "reference": "not-a-python-project",
        "message": f"There is no Python project in `{folder.as_uri()}`",
        "causes": [
            "It has none of `pyproject.toml`, `setup.py`, `setup.cfg`, `package.yaml`, `package.yml`, `package.json`",
        ],
        "hint": "Folders with one: `#subdirectory=plugins/weather`",
        "log": None,
        "exit_code": 5,
    }


@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
def test_an_sdist_says_which_python_it_wants(tmp_path, ending):
    path, content = tmp_path / f"weather-1{ending}", b"Metadata-Version: 2.2\nName: weather\nRequires-Python: <3.12\n"
    if ending == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("weather-1/PKG-INFO", content)
    else:
        with tarfile.open(path, "w:gz") as archive:
            member = tarfile.TarInfo("weather-1/PKG-INFO")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    tree = tree_of(path, tmp_path / "tree")
    assert (tree.path, tree.name, tree.requires_python) == (tmp_path / "tree" / path.name, "weather", "<3.12")
    assert tree.origin.direct_url() == {
        "url": path.as_uri(),
        "archive_info": {"hashes": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}},
    }


def test_a_damaged_sdist_is_left_to_the_build(tmp_path):
    (tmp_path / "weather-1.tar.gz").write_bytes(b"nothing of the kind")
    assert tree_of(tmp_path / "weather-1.tar.gz", tmp_path / "tree").requires_python == ""


def test_a_wheel_is_copied(tmp_path):
    (tmp_path / "weather-1-py3-none-any.whl").write_bytes(b"a wheel")
    tree = tree_of(tmp_path / "weather-1-py3-none-any.whl", tmp_path / "tree")
    assert (tree.origin.kind, tree.path.read_bytes()) == ("wheel", b"a wheel")
    assert tree.path.parent == tmp_path / "tree"
