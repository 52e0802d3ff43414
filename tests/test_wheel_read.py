import struct
import zipfile
from pathlib import Path

import pytest

from plughost import wheel
from plughost.errors import BuildError

METADATA = """\
Metadata-Version: 2.1
Name: Weather.Tools
Version: 1.2
Summary: Wetter für alle
Requires-Python: >=3.8
Requires-Dist: click>=8
Requires-Dist: rich; extra == "pretty"
Provides-Extra: pretty
"""
ENTRY_POINTS = """\
[plughost]
forecast = weather_tools:forecast
Now = weather_tools.now:Now.call [pretty]
"""
FILES = {
    "weather_tools/__init__.py": "",
    "weather_tools-1.2.dist-info/METADATA": METADATA,
    "weather_tools-1.2.dist-info/WHEEL": "Wheel-Version: 1.0\n",
    "weather_tools-1.2.dist-info/entry_points.txt": ENTRY_POINTS,
    "weather_tools-1.2.dist-info/RECORD": "",
}


def write(folder: Path, files, name="weather_tools-1.2-py3-none-any.whl") -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, text in files.items():
            archive.writestr(member, text)
    return path


def cause_of_refusal(path: Path) -> str:
    with pytest.raises(BuildError) as caught:
        wheel.read(path)
    assert caught.value.reference == "wheel-invalid"
    assert caught.value.message == f"`{path.name}` is not a wheel that can be installed"
    return caught.value.causes[0]


def test_a_wheel_says_what_it_is_without_being_imported(tmp_path):
    built = wheel.read(write(tmp_path, {**FILES, "weather_tools/__init__.py": "raise SystemExit"}))
    assert (built.name, built.version, built.summary) == ("weather-tools", "1.2", "Wetter für alle")
    assert built.requires_python == ">=3.8"
    assert built.requires_dist == ("click>=8", 'rich; extra == "pretty"')
    assert built.extras == ("pretty",)
    assert built.entry_points == {"plughost": {"forecast": "weather_tools:forecast", "Now": "weather_tools.now:Now.call"}}
    assert len(built.sha256) == 64


def test_a_wheel_without_entry_points_has_none(tmp_path):
    files = {name: text for name, text in FILES.items() if not name.endswith("entry_points.txt")}
    assert wheel.read(write(tmp_path, files)).entry_points == {}


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"/etc/cron.d/x": ""}, "A file in it is called `/etc/cron.d/x`"),
        ({"weather_tools/../../x.py": ""}, "A file in it is called `weather_tools/../../x.py`"),
        ({"weather_tools\\..\\x.py": ""}, "A file in it is called `weather_tools\\..\\x.py`"),
        ({"C:/x.py": ""}, "A file in it is called `C:/x.py`"),
        ({"other-2.dist-info/METADATA": ""}, "It has 2 `.dist-info` folders"),
        (
            {"weather_tools-1.2.dist-info/METADATA": METADATA.replace("Weather.Tools", "other")},
            "The metadata in it is that of `other` 1.2",
        ),
        (
            {"weather_tools-1.2.dist-info/METADATA": METADATA.replace("Version: 1.2", "Version: 1.3")},
            "The metadata in it is that of `Weather.Tools` 1.3",
        ),
        (
            {"weather_tools-1.2.dist-info/METADATA": METADATA.replace("click>=8", "click >= >=")},
            "Its dependency `click >= >=` is not a requirement",
        ),
        (
            {"weather_tools-1.2.dist-info/METADATA": METADATA.replace(">=3.8", "three")},
            "Its `Requires-Python` is `three`",
        ),
        (
            {"weather_tools-1.2.dist-info/METADATA": b"Name: \xff"},
            "`weather_tools-1.2.dist-info/METADATA` in it is not UTF-8",
        ),
    ],
)
def test_a_hostile_or_broken_wheel_is_refused(tmp_path, changed, cause):
    assert cause_of_refusal(write(tmp_path, {**FILES, **changed})) == cause


@pytest.mark.parametrize("name", ["RECORD", "METADATA", "WHEEL"])
def test_a_wheel_without_one_of_its_parts_is_refused(tmp_path, name):
    files = {path: text for path, text in FILES.items() if not path.endswith(name)}
    assert cause_of_refusal(write(tmp_path, files)) == f"`weather_tools-1.2.dist-info/{name}` is missing in it"


def test_entry_points_that_contradict_themselves_are_refused(tmp_path):
    twice = "[plughost]\na = x:y\na = x:z\n"
    path = write(tmp_path, {**FILES, "weather_tools-1.2.dist-info/entry_points.txt": twice})
    assert cause_of_refusal(path).startswith("Its `entry_points.txt` can't be read")


def test_two_files_of_one_name_are_refused(tmp_path):
    path = write(tmp_path, FILES)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("weather_tools/__init__.py", "other")
    assert cause_of_refusal(path) == "Two files in it are called `weather_tools/__init__.py`"


def test_a_wheel_that_says_it_unpacks_to_gigabytes_is_refused(tmp_path):
    path = write(tmp_path, FILES)
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")  # the central directory's first file: its unpacked size stands 24 bytes on
    data[entry + 24 : entry + 28] = struct.pack("<I", 3 << 30)
    path.write_bytes(data)
    assert "unpacks to 3,221," in cause_of_refusal(path)


def test_what_is_no_archive_is_refused(tmp_path):
    path = tmp_path / "weather_tools-1.2-py3-none-any.whl"
    path.write_bytes(b"PK, but no more")
    assert cause_of_refusal(path) == "File is not a zip file"


def test_a_name_that_is_no_wheels_is_refused(tmp_path):
    assert "wrong number of parts" in cause_of_refusal(write(tmp_path, FILES, name="weather.whl"))
