"""Every task of the project, on a machine that has Python 3.11 or later and git alone: `python3 noxfile.py -s NAME`.

Run as a script, it makes a virtual environment with nox and uv in `.nox/bootstrap` and starts itself again there; the Python
that runs it is left alone, also one that refuses `pip install`. Read by a nox that is here already, it defines the sessions.
"""

from __future__ import annotations

import glob
import itertools
import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
BOOTSTRAP = ROOT / ".nox" / "bootstrap"
TOOLS = ("nox>=2025.11.12", "uv>=0.9")


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever starts the script has not seen `requires-python`
        sys.exit(f"error: `{sys.executable}` is Python {sys.version.split()[0]}; Python 3.11 or later is needed")
    python = str(bootstrap())
    os.execv(python, [python, "-m", "nox", "--noxfile", __file__, *sys.argv[1:]])


def bootstrap() -> Path:
    """The Python of an environment with `TOOLS`, which is made where it is missing, half made, or made for something else."""
    python = BOOTSTRAP / "bin" / "python"
    stamp = BOOTSTRAP / "made-for.txt"  # written last
    wanted = "\n".join((sys.version, str(BOOTSTRAP), *TOOLS))
    if python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print("Installing nox and uv into `.nox/bootstrap` …", file=sys.stderr, flush=True)
    shutil.rmtree(BOOTSTRAP, ignore_errors=True)
    if not fault([sys.executable, "-m", "venv", str(BOOTSTRAP)]):
        pip = [str(python), "-m", "pip"]
    elif not fault([sys.executable, "-m", "venv", "--clear", "--without-pip", str(BOOTSTRAP)]):
        # Debian and its kin package a part of venv apart; where it is missing, the system's pip does as well.
        pip = [sys.executable, "-m", "pip", "--python", str(python)]
    else:
        sys.exit(f"error: `{sys.executable}` can't make a virtual environment\n\nhint: apt install python3-venv")
    if found := fault([*pip, "install", "--quiet", "--disable-pip-version-check", *TOOLS]):
        sys.exit(f"error: Failed to install nox and uv\n{found}\n\nhint: Where pip is missing too: apt install python3-venv")
    stamp.write_text(wanted, encoding="utf-8")
    return python


def fault(command: list[str]) -> str:
    """Run a command; nothing where it succeeds, else what it printed."""
    # A user's `pip install --user` by default can't work in a virtual environment.
    environment = {**os.environ, "PIP_USER": "0"}
    completed = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return "" if completed.returncode == 0 else completed.stdout.strip() or f"exit code {completed.returncode}"


def clean_environment() -> None:
    """Take out of our environment what slows the sessions down or makes their results depend on the user's settings."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # without bytecode every process takes several times as long to start
    os.environ["UV_PYTHON_DOWNLOADS"] = "never"
    # uv brings its own certificates; pip and git trust the system's, among which may be that of a proxy that signs.
    trusted = ssl.get_default_verify_paths()
    bundle = Path(trusted.cafile or f"{trusted.openssl_capath}/ca-certificates.crt")
    if bundle.is_file():
        os.environ["SSL_CERT_FILE"] = os.environ.get("SSL_CERT_FILE") or str(bundle)
    # A version manager's shims answer slowly and with whatever version is switched on: put the Pythons behind them, at the end.
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    roots = {Path(folder).parent for folder in folders if Path(folder).name == "shims"}
    # Where it is somebody else's, `glob` finds none.
    real = [folder for root in roots for folder in sorted(glob.glob(f"{root}/versions/*/bin"))]
    os.environ["PATH"] = os.pathsep.join([*(folder for folder in folders if Path(folder).name != "shims"), *real])


if __name__ == "__main__":
    main()

import nox  # noqa: E402 - only now is it sure to be there

clean_environment()
nox.needs_version = ">=2025.11.12"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "docs", "tests"]

GROUPS = nox.project.load_toml(ROOT / "pyproject.toml")["dependency-groups"]
#: As many tests at a time as there are processors, within reason; a file's are one after the other, as they share fixtures.
PYTEST = ("python", "-m", "pytest", "--numprocesses=auto", "--maxprocesses=8", "--dist=loadfile")
#: What benchmarks share, and what isn't about time.
NOT_BENCHMARKS = ("floors", "measure", "soak")


@nox.session
def demo(session: nox.Session) -> None:
    """The main job: a real git repository with dependencies is added, listed, shown and run."""
    session.install(".")
    session.run("python", "tests/demo.py", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """The tests, on the package as users get it: built into a wheel and installed."""
    session.install(".", *GROUPS["test"])
    session.run(*PYTEST, *session.posargs)


@nox.session(python=["3.11", "3.12", "3.13", "3.14"])
def tests_supported(session: nox.Session) -> None:
    """The tests on each supported Python that is on this machine."""
    tests.func(session)


@nox.session(python="3.11", venv_backend="uv")
def tests_lowest(session: nox.Session) -> None:
    """The tests with the lowest versions of the dependencies that `pyproject.toml` allows."""
    session.install("--resolution", "lowest-direct", ".", *GROUPS["test"])
    session.run(*PYTEST, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    session.install(*GROUPS["lint"])
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    session.install("--editable", ".", *GROUPS["types"], *GROUPS["test"])  # `plughost.testing` has fixtures for pytest
    session.run("mypy", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The links and headings of every page, that every error has its own, and that the examples do what the pages say."""
    session.install("--editable", ".", *GROUPS["test"])
    session.run("python", "-m", "pytest", "tests/test_docs.py", "tests/test_docs_examples.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """How long plughost takes, against what does the same by hand: all of it, or what is named first, `-- calls --rounds 100`."""
    session.install(".", *GROUPS["bench"])
    names = list(itertools.takewhile(lambda argument: not argument.startswith("-"), session.posargs))
    every = [path.stem for path in sorted(Path("benchmarks").glob("*.py")) if path.stem not in NOT_BENCHMARKS]
    for name in names or every:
        session.run("python", f"benchmarks/{name}.py", *session.posargs[len(names) :])
