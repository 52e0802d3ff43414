import base64
import hashlib
import http.server
import os
import sys
import threading
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.pylock import Pylock

from plughost import Host, _installer, _interpreters, lock, wheel
from plughost._foundry import Foundry
from plughost.errors import InstallError, ResolveError, StoreError, UsageError
from plughost.paths import Store

PYTHON = _interpreters.own()


def make_wheel(folder: Path, name: str, version: str = "1.0", *, requires=(), extras=(), python: str = "") -> Path:
    stem = f"{name.replace('-', '_')}-{version}"
    path = folder / f"{stem}-py3-none-any.whl"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    metadata += [f"Requires-Dist: {line}" for line in requires] + [f"Provides-Extra: {extra}" for extra in extras]
    metadata += [f"Requires-Python: {python}"] if python else []
    files = {
        f"{name.replace('-', '_')}.py": f"VERSION = {version!r}\n",
        f"{stem}.dist-info/METADATA": "\n".join(metadata) + "\n",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={digest(text)},{len(text)}\n" for path, text in files.items())
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in {**files, f"{stem}.dist-info/RECORD": f"{record}{stem}.dist-info/RECORD,,\n"}.items():
            archive.writestr(zipfile.ZipInfo(member), text)  # its date is always the same, and so are the bytes
    return path


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


class Index:
    """A package index on this machine: each package a folder with a page of links. `password` makes it a private one."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.password = ""
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, credentials: str = "") -> str:
        return f"http://{credentials}127.0.0.1:{self.server.server_port}"

    def add(self, name: str, version: str = "1.0", **options) -> None:
        folder = self.root / name
        folder.mkdir(exist_ok=True)
        self.list(make_wheel(folder, name, version, **options))

    def add_sdist(self, name: str) -> None:
        import io
        import tarfile

        folder = self.root / name
        folder.mkdir(exist_ok=True)
        files = {
            "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
            "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            "backend.py": BACKEND.format(name=name),
        }
        with tarfile.open(folder / f"{name}-1.0.tar.gz", "w:gz") as archive:
            for path, text in files.items():
                member = tarfile.TarInfo(f"{name}-1.0/{path}")
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text.encode()))
        self.list(folder / f"{name}-1.0.tar.gz")

    def list(self, path: Path) -> None:
        with (path.parent / "index.html").open("a") as page:
            page.write(f'<a href="{path.name}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}">{path.name}</a>\n')

    def handler(self):
        index = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *arguments) -> None:
                super().__init__(*arguments, directory=index.root)

            def do_GET(self) -> None:
                wanted = "Basic " + base64.b64encode(f"ada:{index.password}".encode()).decode()
                if index.password and self.headers.get("Authorization") != wanted:
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", "Basic")
                    self.end_headers()
                else:
                    super().do_GET()

            def end_headers(self) -> None:
                self.send_header("Cache-Control", "no-cache")
                super().end_headers()

            def log_message(self, *_: object) -> None: ...

        return Handler


#: A build backend in the sdist itself, so that no index needs to have one.
BACKEND = """
import zipfile

def build_wheel(folder, *_):
    stem = "{name}-1.0"
    with zipfile.ZipFile(f"{{folder}}/{{stem}}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{{stem}}.dist-info/METADATA", "Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n")
        archive.writestr(f"{{stem}}.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(f"{{stem}}.dist-info/RECORD", "")
    return f"{{stem}}-py3-none-any.whl"
"""


@pytest.fixture
def settings(monkeypatch):
    """The environment without anybody's settings of pip and uv."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return monkeypatch


@pytest.fixture
def index(tmp_path, settings):
    (tmp_path / "index").mkdir()
    index = Index(tmp_path / "index")
    name_index(settings, index.url())
    yield index
    index.server.shutdown()
    index.server.server_close()


def name_index(monkeypatch, url: str) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", url)
    monkeypatch.setenv("PIP_INDEX_URL", url)


@pytest.fixture
def resolve(tmp_path):
    """`resolve(installer, requires=[…])` locks a plugin `weather` 1.0 that has these dependencies."""

    def run(installer, *, requires=(), extra_names=(), root=None, folder="lock", **options):
        into = tmp_path / folder
        into.mkdir()
        if root is None:
            root = wheel.read(make_wheel(into, "weather", requires=requires, extras=extra_names))
        foundry = Foundry(installer, PYTHON, offline=False, log=tmp_path / "lock.log")
        return lock.resolve(
            root, installer=installer, python=PYTHON, into=into, log=tmp_path / "lock.log", foundry=foundry, **options
        )

    return run


def versions(lockfile) -> dict[str, str]:
    return {package.name: package.version for package in lockfile.packages}


def test_the_lock_holds_every_package_with_its_hash_and_the_plugins_own_wheel(index, uv, resolve):
    index.add("sky", requires=["cloud>=1"])
    index.add("cloud", "1.5")
    lockfile = resolve(uv, requires=["sky"])
    text = (lockfile.folder / "pylock.toml").read_text()
    table = tomllib.loads(text)
    Pylock.from_dict(table)
    assert versions(lockfile) == {"weather": "1.0", "sky": "1.0", "cloud": "1.5"}
    assert all(len(package.sha256s) == 1 for package in lockfile.packages)
    own = next(package for package in table["packages"] if package["name"] == "weather")
    own_wheel = lockfile.folder / own["archive"]["path"]
    assert own["archive"] == {
        "path": "weather-1.0-py3-none-any.whl",
        "hashes": {"sha256": hashlib.sha256(own_wheel.read_bytes()).hexdigest()},
    }
    assert lockfile.digest == hashlib.sha256(text.encode()).hexdigest()
    assert lockfile.built_from_source == ()
    assert lock.read(lockfile.folder, python=PYTHON) == lockfile


def test_both_installers_lock_the_same(index, resolve, tmp_path):
    index.add("sky", requires=["cloud>=1"])
    index.add("cloud", "1.5")
    locks = [resolve(_installer.choose(Store(tmp_path / "store"), name), requires=["sky"], folder=name) for name in ("uv", "pip")]
    assert locks[0].packages == locks[1].packages


def test_extras_additions_and_constraints_all_count(index, installer, resolve, tmp_path):
    for name in ("sky", "sun"):
        index.add(name, "1.0")
        index.add(name, "2.0")
    index.add("moon")
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("# pinned\nsky<2  # for now\n\n")
    lockfile = resolve(
        installer,
        requires=["sky", 'moon; extra == "night"'],
        extra_names=["night"],
        extras=["night"],
        with_=["sun<2"],
        constraints=constraints,
    )
    assert versions(lockfile) == {"weather": "1.0", "sky": "1.0", "sun": "1.0", "moon": "1.0"}


def test_a_requirement_is_locked_as_a_wheel_is(index, uv, resolve):
    index.add("sky", "1.0")
    index.add("sky", "2.0")
    assert versions(resolve(uv, root="sky<2")) == {"sky": "1.0"}


def test_the_lock_is_for_the_chosen_python_and_platform_alone(index, installer, resolve):
    index.add("sky", "1.0")
    index.add("sky", "2.0", python=">=4")
    lockfile = resolve(installer, requires=["sky", 'cloud; sys_platform == "win32"', 'cloud; python_version < "3"'])
    assert versions(lockfile) == {"weather": "1.0", "sky": "1.0"}


def test_a_dependency_that_needs_a_late_patch_release_fits(index, uv, resolve):
    index.add("sky", python=f">={PYTHON.version}")
    assert "sky" in versions(resolve(uv, requires=["sky"]))


def test_a_dependency_without_a_wheel_is_built_and_recorded(index, installer, resolve):
    index.add_sdist("sky")
    index.add("cloud")
    assert resolve(installer, requires=["sky", "cloud"]).built_from_source == ("sky",)


def test_a_wheel_of_an_older_version_is_rather_taken_than_a_newer_sdist(index, uv, resolve):
    index.add("sky", "0.9")
    index.add_sdist("sky")
    lockfile = resolve(uv, requires=["sky"])
    assert (versions(lockfile)["sky"], lockfile.built_from_source) == ("0.9", ())


def test_earlier_versions_stay_where_they_still_fit(index, installer, resolve):
    index.add("sky", "1.0")
    before = resolve(installer, requires=["sky"], folder="before")
    index.add("sky", "2.0")
    assert versions(resolve(installer, requires=["sky"], previous=before.folder))["sky"] == "1.0"
    assert versions(resolve(installer, requires=["sky>1"], previous=before.folder, folder="later"))["sky"] == "2.0"


def test_what_was_locked_ahead_is_what_is_locked(index, uv, resolve, tmp_path):
    index.add("sky", "1.0")
    options = {"installer": uv, "python": PYTHON, "into": tmp_path / "ahead", "log": tmp_path / "ahead.log"}
    with lock.ahead(["sky"], **options) as begun:
        lockfile = resolve(uv, requires=["sky"], ahead=begun)
    assert versions(lockfile) == {"weather": "1.0", "sky": "1.0"}
    assert "--offline" in (tmp_path / "lock.log").read_text()
    with lock.ahead(None, **options) as begun:
        assert begun is None


def test_a_conflict_names_both_sides(index, installer, resolve, tmp_path):
    index.add("sky", requires=["cloud>=2"])
    index.add("cloud", "1.0")
    index.add("cloud", "2.0")
    with pytest.raises(ResolveError) as caught:
        resolve(installer, requires=["sky", "cloud<2"])
    error = caught.value
    assert error.message == "Failed to lock the dependencies of `weather`"
    assert error.reference == "resolution-conflict"
    assert "cloud<2" in error.causes[0]
    assert "cloud>=2" in error.causes[0]
    assert error.hint.startswith("Loosen one of these requirements")
    assert error.log == str(tmp_path / "lock.log")


@pytest.mark.parametrize(("requirement", "reference"), [("rainbow", "package-not-found"), ("sky==99", "version-not-found")])
def test_what_the_index_does_not_have_is_named(index, installer, resolve, requirement, reference):
    index.add("sky")
    with pytest.raises(ResolveError) as caught:
        resolve(installer, requires=[requirement])
    assert caught.value.reference == reference
    assert requirement in caught.value.causes[0]


def test_an_index_that_asks_for_a_password_says_so(index, uv, resolve):
    index.add("sky")
    index.password = "sesame"
    with pytest.raises(InstallError) as caught:
        resolve(uv, requires=["sky"])
    assert caught.value.reference == "index-auth"


def test_credentials_are_used_and_written_nowhere(index, installer, resolve, tmp_path, monkeypatch):
    index.add("sky")
    index.password = "sesame"
    name_index(monkeypatch, index.url("ada:sesame@"))
    assert "sky" in versions(resolve(installer, requires=["sky"]))
    for path in [*(tmp_path / "lock").iterdir(), tmp_path / "lock.log"]:
        assert b"sesame" not in path.read_bytes(), path


def test_the_indexes_of_a_uv_users_configuration_count(index, uv, resolve, tmp_path, monkeypatch):
    index.add("sky", "77.0")
    index.password = "sesame"
    settings = tmp_path / "config" / "uv" / "uv.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f'[[index]]\nname = "own"\nurl = "{index.url("ada:sesame@")}"\ndefault = true\n')
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert versions(resolve(uv, requires=["sky"]))["sky"] == "77.0"


def test_credentials_of_a_place_named_by_the_caller_are_not_in_the_lock(index, installer, resolve, tmp_path):
    index.add("sky")
    index.password = "sesame"
    lockfile = resolve(installer, with_=[f"sky @ {index.url('ada:sesame@')}/sky/sky-1.0-py3-none-any.whl"])
    (sky,) = [package for package in lockfile.packages if package.name == "sky"]
    assert sky.url == f"{index.url()}/sky/sky-1.0-py3-none-any.whl"
    assert "sesame" not in (tmp_path / "lock.log").read_text()


def test_credentials_never_stand_in_a_command_line(index, installer, resolve, tmp_path):
    index.add("sky")
    resolve(installer, with_=[f"sky @ {index.url('ada:sesame@')}/sky/sky-1.0-py3-none-any.whl"])
    commands = [line for line in (tmp_path / "lock.log").read_text().splitlines() if line.startswith("$ ")]
    assert commands
    assert not any("sky-1.0" in command for command in commands)


def test_a_name_that_only_a_folder_has_is_told_how_to_give_the_folder(index, installer, resolve, tmp_path, monkeypatch):
    index.add("sky")
    (tmp_path / "Rain_bow").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ResolveError) as caught:
        resolve(installer, root="Rain_bow")
    assert (caught.value.reference, caught.value.hint) == ("package-not-found", "For the folder of that name, give `./Rain_bow`")


@pytest.mark.usefixtures("index")
def test_an_index_out_of_reach_is_a_network_error(uv, resolve, monkeypatch):
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    name_index(monkeypatch, "http://127.0.0.1:9/simple")
    with pytest.raises(InstallError) as caught:
        resolve(uv, requires=["sky"])
    assert caught.value.reference == "network"


def test_offline_without_what_is_needed_says_so(index, installer, resolve):
    index.add("sky")
    with pytest.raises(InstallError) as caught:
        resolve(installer, requires=["sky"], offline=True)
    assert caught.value.reference == "offline"


@pytest.mark.usefixtures("index")
def test_a_place_that_only_a_dependency_names_is_refused(uv, resolve, tmp_path):
    cloud = make_wheel(tmp_path, "cloud").as_uri()
    sky = make_wheel(tmp_path, "sky", requires=[f"cloud @ {cloud}"]).as_uri()
    with pytest.raises(ResolveError) as caught:
        resolve(uv, requires=[f"sky @ {sky}"])
    assert caught.value.reference == "dependency-refused"
    assert "`cloud` would come from" in caught.value.message
    named = resolve(uv, requires=[f"sky @ {sky}"], with_=[f"cloud @ {cloud}"], folder="named")
    assert "cloud" in versions(named)


@pytest.mark.usefixtures("index")
def test_a_wheel_for_another_python_is_refused(uv, resolve, tmp_path):
    root = wheel.read(make_wheel(tmp_path, "weather", python=">=4"))
    with pytest.raises(ResolveError) as caught:
        resolve(uv, root=root)
    assert caught.value.reference == "python-incompatible"
    assert caught.value.message == f"`weather` 1.0 doesn't run on Python {sys.version.split()[0]}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"extras": ["night"]}, "`weather` has no extra `night`"),
        ({"with_": ["click >= >="]}, "`click >= >=` is not a requirement"),
        ({"exclude_newer": "yesterday"}, "`yesterday` is not a date"),
        ({"constraints": Path("/nowhere/constraints.txt")}, "The constraints in `/nowhere/constraints.txt` can't be read"),
    ],
)
def test_an_argument_that_cannot_be_read_is_a_usage_error(uv, resolve, options, message):
    with pytest.raises(UsageError) as caught:
        resolve(uv, **options)
    assert caught.value.message == message


def test_a_damaged_lock_is_named(tmp_path):
    (tmp_path / "pylock.toml").write_text("packages = [[[")
    with pytest.raises(StoreError) as caught:
        lock.read(tmp_path, python=PYTHON)
    assert caught.value.reference == "store-corrupt"


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_folder_of_wheels_is_found_from_the_folder_that_the_user_is_in(tmp_path, settings, installer):
    (tmp_path / "wheels").mkdir()
    make_wheel(tmp_path / "wheels", "rain")
    settings.chdir(tmp_path)
    settings.setenv(f"{installer.upper()}_FIND_LINKS", "wheels")
    settings.setenv(f"{installer.upper()}_NO_INDEX", "1")
    with Host(store=tmp_path / "store") as host:
        host.add("rain", installer=installer, entry_points={"shout": "rain:VERSION.upper"})
        assert host.call("rain", "shout") == "1.0"
