"""What the command imports: each of these modules takes as long as starting a plugin's process, or longer."""

from __future__ import annotations

import subprocess
import sys

import pytest

SLOW = {"click", "dataclasses", "enum", "importlib.metadata", "json", "pathlib", "re", "signal", "subprocess", "typing"}

#: Without `site`, which itself may import anything; the paths that it would have found are given.
PROGRAM = """
import sys
sys.path[:] = {path!r}
from plughost.__main__ import run
code = run({argv!r})
print(*sys.modules, file=sys.stderr)
sys.exit(code)
"""


def imported(*argv, env):
    program = PROGRAM.format(path=sys.path, argv=list(argv))
    completed = subprocess.run([sys.executable, "-I", "-S", "-c", program], env=env, capture_output=True, text=True, check=False)
    return set(completed.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "argv",
    [[], ["--help"], ["--version"], ["list"], ["list", "--json"], ["--quiet", "list"]],
    ids=lambda argv: " ".join(argv) or "-",
)
def test_plain_commands_import_nothing_slow(clean_environment, store, argv):
    modules = imported(*argv, env={**clean_environment, "PLUGHOST_HOME": str(store)})
    assert "plughost.__main__" in modules
    assert modules & SLOW == set()


def test_the_overview_imports_no_host(clean_environment):
    assert not imported("--help", env=clean_environment) & {"plughost.host", "plughost.cli._execute", "plughost.runner.wire"}


def test_what_is_to_be_avoided_would_be_seen(clean_environment):
    assert {"click", "re"} <= imported("list", "--help", env=clean_environment)


@pytest.mark.parametrize("argv", [["a=3"], ["--kwargs", '{"a": 3}'], ["a=3", "--json"]], ids=" ".join)
def test_a_call_imports_nothing_slow(clean_environment, shared_host, argv):
    modules = imported("run", "echo:add", *argv, env={**clean_environment, "PLUGHOST_HOME": str(shared_host.store.root)})
    assert "plughost.call._invoke" in modules
    assert modules & SLOW == set()
