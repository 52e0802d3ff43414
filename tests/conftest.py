"""What the tests share: small plugins as real git repositories, stores, hosts, and the command as a process of its own."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import tomli_w

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from plughost import Host
    from plughost._installer import Installer

PACKAGES = Path(__file__).parent / "packages"

#: Far more than any test takes, also on a busy machine: a hang becomes a failure that shows where.
LIMIT_S = 240
#: How long another process is waited for.
WAIT_S = 60

#: What git and the installers need of the machine: where programs are, and how its network is reached.
PASSED_ON = (
    "PATH",
    "TMPDIR",
    "SSL_",
    "PIP_",
    "UV_INDEX",
    "UV_DEFAULT_INDEX",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "PYTHONPATH",
    "PLUGHOST_POLICY",
)

# Most tests are of what plugins do, and some of these do what no policy would let them. Those of confinement take `confined`.
os.environ.setdefault("PLUGHOST_POLICY", "trusted")

GIT_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z",
}


def pytest_configure() -> None:
    """A shell starts what runs in the background with Ctrl-C ignored, and so would be what the tests start and interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


#: The command, which kills itself with SIGKILL just before the first event whose name and arguments contain the given words.
KILLED = """
import os, sys
words = os.environ["KILL_BEFORE"].split()

def watch(event, values):
    if event == words[0] and all(word in str(values) for word in words[1:]):
        os.kill(os.getpid(), 9)

sys.addaudithook(watch)
from plughost.__main__ import main
main()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """How the command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str

    def json(self):
        """What it printed to stdout, which must be JSON; where it is not, what it printed to stderr says why."""
        try:
            return json.loads(self.stdout)
        except ValueError:
            pytest.fail(f"not JSON (exit code {self.returncode}): {self.stdout[:2000]!r}\n{self.stderr[-4000:]}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test printed and logged crosses to the process that reports it, as UTF-8: lone surrogates as escapes."""
    report = yield
    report.sections = [(title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections]
    return report


@contextlib.contextmanager
def _limit() -> Iterator[None]:
    """No test hangs, nor what several share; and not either when what it leaves waits for the same."""

    def stop(*_: object) -> None:
        pytest.fail(f"took longer than {LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S, WAIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    with _limit():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    with _limit():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, object, object]:
    with _limit():
        return (yield)


@pytest.fixture(scope="session")
def uv_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache that all stores of this run share, those of pytest-xdist's other processes too: a package is downloaded once."""
    base = tmp_path_factory.getbasetemp()
    path = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "uv-cache"
    path.mkdir(exist_ok=True)
    return path


def _commit(folder: Path) -> str:

    def git(*arguments: str) -> str:
        environment = {**os.environ, **GIT_ENVIRONMENT}
        return subprocess.run(
            ["git", "-C", folder, *arguments], env=environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    if not (folder / ".git").exists():
        git("init", "--quiet", "--initial-branch=main")
    git("add", "--all")
    git("commit", "--quiet", "--allow-empty", "--message=A plugin")
    return git("rev-parse", "HEAD")


def copy_package(package: str, into: Path, **project: object) -> None:
    """Put `tests/packages/<package>` into the folder `into`, with these values in its `[project]` table."""
    shutil.copytree(PACKAGES / package, into, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    if project:
        path = into / "pyproject.toml"
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        document["project"].update({key.replace("_", "-"): value for key, value in project.items()})
        path.write_text(tomli_w.dumps(document), encoding="utf-8")


@pytest.fixture(scope="session")
def session_repository(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """As `git_repository`, for what several tests share."""
    return _repositories(tmp_path_factory.mktemp("repositories"))


@pytest.fixture
def git_repository(tmp_path: Path) -> Callable[..., str]:
    """`git_repository("echo", version="2.0")` is the source string of a repository with that package at that version.

    Once more, with the same name, is a further commit of the same repository.
    """
    return _repositories(tmp_path / "repositories")


def _repositories(root: Path) -> Callable[..., str]:
    def make(package: str, **project: object) -> str:
        folder = root / str(project.get("name", package))
        copy_package(package, folder, **project)
        _commit(folder)
        return f"git+{folder.as_uri()}"

    return make


@pytest.fixture
def commit() -> Callable[[Path], str]:
    """`commit(folder)` commits all that is in it, makes it a repository if it is none, and gives the commit's identifier."""
    return _commit


@pytest.fixture
def store(tmp_path: Path, uv_cache: Path) -> Path:
    """An empty store; it has its downloads from the cache that the run shares."""
    return _store(tmp_path / "store", uv_cache)


def _store(root: Path, uv_cache: Path) -> Path:
    cache = root / "cache"
    cache.mkdir(parents=True)
    (cache / "uv").symlink_to(uv_cache, target_is_directory=True)
    return root


@pytest.fixture
def host(store: Path) -> Iterator[Host]:
    from plughost import Host

    with Host(store=store) as host:
        yield host


@pytest.fixture(scope="session")
def shared_host(
    tmp_path_factory: pytest.TempPathFactory, uv_cache: Path, session_repository: Callable[[str], str]
) -> Iterator[Host]:
    """A host that has `echo`, `hazards`, `hooks` and `values`; to be called, not to be changed."""
    from plughost import Host

    with Host(store=_store(tmp_path_factory.mktemp("shared") / "store", uv_cache)) as host:
        for package in ("echo", "hazards", "hooks", "values"):
            host.add(session_repository(package))
        yield host


@pytest.fixture(scope="session")
def store_with(
    tmp_path_factory: pytest.TempPathFactory, uv_cache: Path, session_repository: Callable[[str], str]
) -> Callable[..., Path]:
    """`store_with("echo")` is a new store with that package, added with what is said besides, for several tests to share."""
    from plughost import Host

    def make(package: str, **options: object) -> Path:
        store = _store(tmp_path_factory.mktemp(package) / "store", uv_cache)
        with Host(store=store) as host:
            host.add(session_repository(package), **options)
        return store

    return make


@pytest.fixture(scope="session")
def lively_store(store_with: Callable[..., Path]) -> Path:
    """A store with `lively`, for hosts of any kind; to be called, not to be changed."""
    return store_with("lively")


@pytest.fixture(scope="module")
def stateful_store(store_with: Callable[..., Path]) -> Path:
    """A store with `stateful`; to be called, not to be changed."""
    return store_with("stateful")


@pytest.fixture
def records_store(shared_host: Host, tmp_path: Path) -> Path:
    """A store with the plugins of the shared one, and records of its own."""
    root = tmp_path / "records"
    root.mkdir()
    for folder in ("plugins", "venvs", "cache"):
        (root / folder).symlink_to(os.path.join(shared_host.store.root, folder))
    return root


@pytest.fixture(scope="session")
def wait_for() -> Callable[[Path], int]:
    """Until a tool has written the file; the process's number, which is all that stands in it."""

    def wait_for(path: Path) -> int:
        deadline = time.monotonic() + WAIT_S
        while not (path.exists() and path.read_text()):
            assert time.monotonic() < deadline, f"{path.name} was not written"
            select.select([], [], [], 0.005)
        return int(path.read_text())

    return wait_for


@pytest.fixture(scope="session")
def ever_longer() -> Callable[[Path], Iterator[float]]:
    """`for limit_s in ever_longer(begun)`: times after which to give a call up, until one let it begin and write that file.

    On a machine that is busy with something else, the first may be over before the plugin's process has its turn.
    """

    def ever_longer(begun: Path) -> Iterator[float]:
        for limit_s in (0.3, 3, WAIT_S):
            yield limit_s
            if begun.exists() and begun.read_text():
                return
        pytest.fail(f"{begun.name} was not written")

    return ever_longer


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told to end is killed only much later: how it ends by itself is then no matter of how fast that is."""
    from plughost.worker import _exchange, _forked, _seats, _worker  # all of them before any has another time to give away

    for module in (_exchange, _seats, _worker):
        monkeypatch.setattr(module, "CANCEL_GRACE_S", WAIT_S)
    for module in (_exchange, _forked, _worker):
        monkeypatch.setattr(module, "STOP_GRACE_S", WAIT_S)


@pytest.fixture(scope="session")
def is_gone() -> Callable[[int], bool]:
    """Whether a process ends within a while."""

    def is_gone(pid: int) -> bool:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            return True
        try:
            return bool(select.select([fd], [], [], WAIT_S)[0])
        finally:
            os.close(fd)

    return is_gone


@pytest.fixture(scope="session")
def make_venv(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, str], Path]:
    """`make_venv(python, "hostile")` is an environment as `venv` makes them, with that package of the tests on its path."""

    def make(python: Path, package: str) -> Path:
        asked = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        version = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
        venv = tmp_path_factory.mktemp("venv")
        site_packages = venv / "lib" / f"python{version}" / "site-packages"
        site_packages.mkdir(parents=True)
        (site_packages / "packages.pth").write_text(str(PACKAGES / package))
        (venv / "bin").mkdir()
        (venv / "bin" / "python").symlink_to(python)
        (venv / "pyvenv.cfg").write_text(f"home = {python.parent}\n")
        (venv / "plughost-venv.json").touch()
        return venv

    return make


@pytest.fixture(scope="session")
def unpacked_pip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stores of `installer` keep pip as they run it: it is unpacked once."""
    return tmp_path_factory.mktemp("pip-programs")


@pytest.fixture(params=["uv", "pip"])
def installer(request: pytest.FixtureRequest, tmp_path: Path, unpacked_pip: Path) -> Installer:
    """Each of the installers, with a store of its own."""
    from plughost import _installer
    from plughost.paths import Store

    cache = tmp_path / "store" / "cache"
    cache.mkdir(parents=True)
    (cache / "pip-programs").symlink_to(unpacked_pip, target_is_directory=True)
    return _installer.choose(Store(tmp_path / "store"), request.param)


@pytest.fixture
def uv(tmp_path: Path) -> Installer:
    from plughost import _installer
    from plughost.paths import Store

    return _installer.choose(Store(tmp_path / "store"), "uv")


@pytest.fixture(scope="session")
def busy_store(tmp_path_factory: pytest.TempPathFactory, uv_cache: Path, session_repository: Callable[[str], str]) -> Path:
    """A store in which the project `busy` has the plugin of that name three times: `one`, `three` and `two`."""
    from plughost import Host

    root = _store(tmp_path_factory.mktemp("busy") / "store", uv_cache)
    with Host("busy", store=root) as host:
        for name in ("one", "three", "two"):
            host.add(session_repository("busy"), name=name)
    return root


@pytest.fixture
def clean_environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has set nothing, with a home of its own."""
    home = tmp_path / "home"
    home.mkdir()
    passed = {name: value for name, value in os.environ.items() if name.upper().startswith(PASSED_ON)}
    return {**passed, "HOME": str(home), "LANG": "C.UTF-8"}


@pytest.fixture
def confined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plugins have the policy that they have where nobody says anything."""
    monkeypatch.delenv("PLUGHOST_POLICY", raising=False)


@pytest.fixture
def plughost_command(tmp_path: Path, store: Path, clean_environment: dict[str, str]) -> Callable[..., Completed]:
    """`plughost_command("list", "--json")` runs the command on `store` as a process of its own."""

    def run(*arguments: str, stdin: str = "", env: Mapping[str, str] | None = None, cwd: Path = tmp_path) -> Completed:
        completed = subprocess.run(
            [sys.executable, "-m", "plughost", *arguments],
            env={**clean_environment, "PLUGHOST_HOME": str(store), **(env or {})},
            cwd=cwd,
            input=stdin.encode(),
            capture_output=True,
            check=False,
        )
        return Completed(
            returncode=completed.returncode,
            stdout=completed.stdout.decode("utf-8", "replace"),
            stderr=completed.stderr.decode("utf-8", "replace"),
        )

    return run


@pytest.fixture(scope="session")
def kill_before() -> Callable[..., None]:
    """`kill_before(host, "os.rename /trash/", "remove", "echo")`: the command on the host's store, killed before that event."""

    def kill_before(host: Host, event: str, *arguments: str) -> None:
        environment = {**os.environ, "PLUGHOST_HOME": host.store.root, "PYTHONPATH": os.pathsep.join(sys.path)}
        argv = [sys.executable, "-c", KILLED, *arguments]
        killed = subprocess.run(argv, env={**environment, "KILL_BEFORE": event}, capture_output=True, check=False)
        assert killed.returncode == -signal.SIGKILL, f"`{event}` never came: {killed.stderr.decode()}"

    return kill_before


@pytest.fixture
def plughost_here(
    tmp_path: Path, store: Path, clean_environment: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> Callable[..., Completed]:
    """As `plughost_command`, in this process: for tests of what is said and done, and not of how a process starts and ends."""
    from plughost.__main__ import run as run_command

    def run(*arguments: str, env: Mapping[str, str] | None = None, cwd: Path = tmp_path) -> Completed:
        capfd.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            for name in os.environ.keys() - clean_environment.keys():
                patch.delenv(name)
            for name, value in {**clean_environment, "PLUGHOST_HOME": str(store), **(env or {})}.items():
                patch.setenv(name, value)
            patch.chdir(cwd)
            handler = signal.getsignal(signal.SIGTERM)
            try:
                returncode = run_command(arguments)
            finally:
                signal.signal(signal.SIGTERM, handler)
                gc.enable()
        told = capfd.readouterr()
        return Completed(returncode=returncode, stdout=told.out, stderr=told.err)

    return run
