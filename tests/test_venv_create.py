import base64
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from functools import partial
from pathlib import Path

import pytest

from plughost import _installer, _interpreters, lock, venv, wheel
from plughost._foundry import Foundry
from plughost.errors import InstallError, VenvError
from plughost.paths import Store, locked

PYTHON = _interpreters.own()
LOG = "install.log"


def make_wheel(folder: Path, name: str, code: str, *, requires=(), more=None) -> Path:
    stem = f"{name}-1.0"
    files = {
        f"{name}.py": code,
        **(more or {}),
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        + "".join(f"Requires-Dist: {line}\n" for line in requires),
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={digest(text)},{len(text)}\n" for path, text in files.items())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in {**files, f"{stem}.dist-info/RECORD": f"{record}{stem}.dist-info/RECORD,,\n"}.items():
            archive.writestr(member, text)
    return path


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def make_lock(tmp_path):
    """`make_lock(installer)` locks `weather`, which says its own name, and `sky`, which it needs."""

    def run(installer, code: str = "print(__name__)\n", *, more=lambda _name: {}):
        folder = tmp_path / f"lock-{installer.name}"
        sky = make_wheel(tmp_path / "sky", "sky", "COLOUR = 'blue'\n", more=more("sky"))
        weather = make_wheel(folder, "weather", code, requires=[f"sky @ {sky.as_uri()}"], more=more("weather"))
        log = tmp_path / LOG
        foundry = Foundry(installer, PYTHON, offline=False, log=log)
        return lock.resolve(wheel.read(weather), installer=installer, python=PYTHON, into=folder, log=log, foundry=foundry)

    return run


def create(lockfile, installer, tmp_path, **options):
    log = tmp_path / LOG
    build = partial(Foundry(installer, PYTHON, offline=False, log=log).wheels_of, editable=options.get("editable"))
    return venv.create(
        lockfile, store=installer.store, installer=installer, python=PYTHON, log=log, plugin="weather", build=build, **options
    )


def run_python(made, code: str, **env: str) -> str:
    completed = subprocess.run([made.python, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **env})
    return completed.stdout.strip()


def calls(tmp_path) -> int:
    return (tmp_path / LOG).read_text().count("$ ")


def test_a_venv_has_what_is_locked_and_nothing_else(installer, make_lock, tmp_path):
    made = create(make_lock(installer), installer, tmp_path)
    assert not list(made.path.rglob("weather*.pyc"))
    assert run_python(made, "import sky, weather; print(sky.COLOUR)") == "weather\nblue"
    assert venv.installed(made.path) == [("sky", "1.0"), ("weather", "1.0")]
    seen = run_python(made, "import importlib.metadata as m; print(sorted(d.name for d in m.distributions()))")
    assert seen == "['sky', 'weather']"
    assert run_python(made, "import site; print(site.ENABLE_USER_SITE)") == "False"
    assert os.readlink(made.python) == PYTHON.executable


def test_packages_that_bring_a_file_of_the_same_name_are_installed(installer, make_lock, tmp_path):
    made = create(make_lock(installer, more=lambda name: {"tests/__init__.py": f"# {name}\n"}), installer, tmp_path)
    (shared,) = made.path.rglob("tests/__init__.py")
    assert shared.read_text() in {"# sky\n", "# weather\n"}
    assert venv.find_damage(str(made.path), None) == []
    shared.unlink()
    shared.write_text("# else\n")
    assert venv.find_damage(str(made.path), None) != []


@pytest.mark.parametrize(
    ("brought", "text"),
    [
        ("data/pyvenv.cfg", "home = /tmp\nversion = 3.11\n"),
        ("data/pyvenv.cfg", f"HOME = /tmp\nhome = {os.path.dirname(PYTHON.executable)}\n"),
        ("data/pyvenv.cfg", "home = bin\n"),
        ("scripts/python", "#!/bin/sh\n"),
        ("data/bin/python3", "#!/bin/sh\n"),
    ],
)
def test_no_package_brings_another_python(brought, text, make_lock, tmp_path, unpacked_pip):
    (tmp_path / "store" / "cache").mkdir(parents=True)
    (tmp_path / "store" / "cache" / "pip-programs").symlink_to(unpacked_pip, target_is_directory=True)
    installer = _installer.choose(Store(tmp_path / "store"), "pip" if "python" in brought else "uv")  # uv refuses those itself
    lockfile = make_lock(installer, more=lambda name: {f"sky-1.0.data/{brought}": text} if name == "sky" else {})
    with pytest.raises(VenvError) as caught:
        create(lockfile, installer, tmp_path)
    part = "pyvenv.cfg" if "pyvenv" in brought else f"bin/{os.path.basename(brought)}"
    assert caught.value.causes == (f"A package has a file for `{part}`",)
    assert not os.listdir(installer.store.venvs)


def test_the_same_lock_is_installed_once(uv, make_lock, tmp_path):
    lockfile = make_lock(uv)
    made = create(lockfile, uv, tmp_path)
    before = calls(tmp_path)
    assert create(lockfile, uv, tmp_path) == made
    assert calls(tmp_path) == before
    assert venv.is_whole(uv.store, made.key)


def test_another_lock_or_salt_is_another_venv(uv, make_lock, tmp_path):
    lockfile = make_lock(uv)
    made = create(lockfile, uv, tmp_path)
    assert create(lockfile, uv, tmp_path, salt="again").key != made.key
    shutil.rmtree(lockfile.folder)
    assert create(make_lock(uv, "print('other')\n"), uv, tmp_path).key != made.key


def test_a_venv_without_its_marker_is_made_anew(uv, make_lock, tmp_path):
    lockfile = make_lock(uv)
    made = create(lockfile, uv, tmp_path)
    (made.path / "plughost-venv.json").unlink()
    (sky,) = made.path.rglob("sky.py")
    sky.unlink()  # as a killed installer leaves it: the metadata is there and the file isn't
    assert not venv.is_whole(uv.store, made.key)
    assert create(lockfile, uv, tmp_path) == made
    assert sky.exists()


@pytest.mark.parametrize("gone", ["lib/*/site-packages/sky.py", "lib/*/site-packages/sky-1.0.dist-info", "lib"])
def test_a_venv_that_has_lost_files_is_made_anew(gone, uv, make_lock, tmp_path):
    lockfile = make_lock(uv)
    made = create(lockfile, uv, tmp_path)
    (lost,) = made.path.glob(gone)
    shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
    assert not venv.is_whole(uv.store, made.key)
    assert create(lockfile, uv, tmp_path) == made
    assert venv.missing(made.path) == ""
    assert run_python(made, "import sky; print(sky.COLOUR)") == "blue"


def test_a_venv_whose_interpreter_is_gone_is_made_anew(uv, make_lock, tmp_path):
    lockfile = make_lock(uv)
    made = create(lockfile, uv, tmp_path)
    made.python.unlink()
    made.python.symlink_to("/nowhere/python3")
    assert not venv.is_whole(uv.store, made.key)
    create(lockfile, uv, tmp_path)
    assert run_python(made, "print(1)") == "1"


def test_a_wheel_that_was_changed_after_locking_is_refused(installer, make_lock, tmp_path):
    lockfile = make_lock(installer)
    make_wheel(lockfile.folder, "weather", "print('changed')\n", requires=[])
    with pytest.raises(InstallError) as caught:
        create(lockfile, installer, tmp_path)
    assert caught.value.reference == "hash-mismatch"
    assert list(Path(installer.store.venvs).iterdir()) == []


def test_a_file_that_was_changed_in_the_cache_is_found(uv, make_lock, tmp_path):
    lockfile = make_lock(uv)
    made = create(lockfile, uv, tmp_path)
    (sky,) = made.path.rglob("sky.py")
    if sky.stat().st_nlink < 2:
        pytest.skip("this filesystem has no hard links, so the cache can't be changed through a venv")
    sky.write_text("COLOUR = 'grey'\n")  # the same length, and uv's cache has the same file
    with pytest.raises(VenvError) as caught:
        create(lockfile, uv, tmp_path, salt="again")
    assert caught.value.reference == "venv-damaged"
    assert caught.value.causes == ("`sky.py`: Its content is another one",)
    assert [path.name for path in Path(uv.store.venvs).iterdir()] == [made.key]


CREATE = """
import sys
from pathlib import Path
from plughost import _installer, _interpreters, lock, venv
from plughost.paths import Store
store, folder, log = sys.argv[1:]
uv, python = _installer.choose(Store(store), "uv"), _interpreters.own()
lockfile = lock.read(Path(folder), python=python)
venv.create(lockfile, store=Store(store), installer=uv, python=python, log=Path(log), build=dict)
"""


def test_a_kill_at_any_instant_leaves_nothing_that_counts(uv, make_lock, tmp_path):
    lockfile = make_lock(uv)
    venvs = Path(uv.store.venvs)
    command = [sys.executable, "-c", CREATE, uv.store.root, str(lockfile.folder), str(tmp_path / LOG)]
    for awaited in (venvs, "*", "*/pyvenv.cfg", "*/lib/*/site-packages/sky.py", "*/lib/*/site-packages/weather.py"):
        child = subprocess.Popen(command)
        while child.poll() is None and not (venvs.exists() if awaited == venvs else any(venvs.glob(awaited))):
            time.sleep(0)
        child.send_signal(signal.SIGKILL)
        child.wait()
        made = create(lockfile, uv, tmp_path)
        assert run_python(made, "import weather") == "weather"
        venv.remove(uv.store, made.key)


def test_many_at_once_make_it_once(uv, make_lock, tmp_path):
    lockfile = make_lock(uv)
    before = calls(tmp_path)
    made = []
    threads = [threading.Thread(target=lambda: made.append(create(lockfile, uv, tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(made)) == 1
    assert calls(tmp_path) == before + 2  # the venv, and what goes into it


def test_an_editable_install_follows_its_source(installer, make_lock, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["flit-core"]\nbuild-backend = "flit_core.buildapi"\n'
        '[project]\nname = "weather"\nversion = "1.0"\ndescription = "x"\ndependencies = ["sky"]\n'
    )
    (source / "weather.py").write_text("print('first')\n")
    made = create(make_lock(installer), installer, tmp_path, editable=source)
    assert run_python(made, "import weather, sky") == "first"
    (source / "weather.py").write_text("print('then')\n")
    assert run_python(made, "import weather", PYTHONDONTWRITEBYTECODE="1") == "then"


def test_removing_leaves_nothing_and_an_absent_one_is_no_error(uv, make_lock, tmp_path):
    made = create(make_lock(uv), uv, tmp_path)
    venv.remove(uv.store, made.key)
    venv.remove(uv.store, made.key)
    assert not made.path.exists()
    assert list(Path(uv.store.trash).iterdir()) == []


def test_the_marker_says_what_is_in_the_venv(uv, make_lock, tmp_path):
    made = create(make_lock(uv), uv, tmp_path)
    marker = json.loads((made.path / "plughost-venv.json").read_bytes())
    assert marker["packages"] == [["sky", "1.0"], ["weather", "1.0"]]
    assert marker["interpreter"] == {"executable": PYTHON.executable, "version": PYTHON.version}
    assert marker["record_digest"] == made.record_digest


def test_the_size_counts_each_file_once(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_bytes(b"x" * 100_000)
    before = venv.size_bytes(folder)
    os.link(folder / "a", folder / "b")
    (folder / "c").symlink_to("a")
    assert venv.size_bytes(folder) - before < 50_000


def test_a_venv_that_is_being_made_is_waited_for(uv, make_lock, tmp_path):
    lockfile = make_lock(uv)
    made = create(lockfile, uv, tmp_path)
    venv.remove(uv.store, made.key)
    with locked(uv.store.lock(f"venv-{made.key}")):
        waiting = threading.Thread(target=create, args=(lockfile, uv, tmp_path))
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
    waiting.join()
    assert venv.is_whole(uv.store, made.key)


def test_what_one_installer_locked_the_other_installs(make_lock, tmp_path):
    store = Store(tmp_path / "store")
    for locks, installs in (("uv", "pip"), ("pip", "uv")):
        lockfile = make_lock(_installer.choose(store, locks))
        made = create(lockfile, _installer.choose(store, installs), tmp_path)
        assert run_python(made, "import weather") == "weather"
        venv.remove(store, made.key)
