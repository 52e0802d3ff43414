"""macOS: what a profile says, and that none is believed which was not seen to confine. Nothing here needs such a machine."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from plughost import SandboxError
from plughost.policy import DEFAULT, TRUSTED, Policy
from plughost.sandbox import Machine, Ways, unenforceable
from plughost.sandbox._base_python import python_parts
from plughost.sandbox._seatbelt import PROGRAM, Seatbelt, examine, profile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

UNLIMITED = {"memory_bytes": None, "cpu_s": None, "wall_s": None, "threads": None, "disk_bytes": None}
BELIEVED = Machine(0, {"seatbelt": ""})


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], str]:
    """`program(script)` stands for sandbox-exec: `$1` is `-p`, `$2` the profile, and then comes what is to be executed."""

    def write(script: str) -> str:
        path = tmp_path / "sandbox-exec"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)

    return write


def test_a_profile_allows_what_it_names_and_nothing_else(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    text = profile(read=[str(tmp_path / "link")], write=["/work"], execute=["/python"])
    lines = text.splitlines()
    assert lines[:3] == ["(version 1)", "(deny default)", "(deny process-info* nvram* iokit-get-properties file-map-executable)"]
    (read,) = [line for line in lines if line.startswith("(allow file-read* file-test-existence file-map-executable ")]
    assert f'(subpath "{tmp_path / "real"}")' in read
    assert "/work" not in read
    assert '(allow file-read* file-test-existence file-write* (subpath "/work"))' in lines
    assert '(allow process-exec (subpath "/python"))' in lines
    (told,) = [line for line in lines if "file-read-metadata" in line]
    assert f'(literal "{tmp_path / "link"}")' in told
    assert "subpath" not in told
    assert "network" not in text
    assert "process-fork" not in text


def test_a_profile_allows_the_network_and_children_where_these_are_granted():
    text = profile(read=[], write=[], execute=[], has_network=True, has_children=True)
    assert "\n(allow process-fork)\n" in text
    assert "\n(allow system-socket network*)\n" in text
    assert "process-exec" not in text


def test_a_path_ends_no_rule():
    text = profile(read=[], write=['/a"))(allow default)(x (y "\\'], execute=[])
    assert '(subpath "/a\\"))(allow default)(x (y \\"\\\\")' in text
    with pytest.raises(SandboxError, match="can't be said in a profile"):
        profile(read=["/a\nb"], write=[], execute=[])


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ('shift 2; exec "$@"', "doesn't confine: connect, fork, list, read, signal, tell, write"),
        ("echo read-own; echo write-own", "allows too little"),
        ("echo 'profile: syntax error' >&2; exit 65", "allows too little: profile: syntax error"),
    ],
)
def test_a_program_that_was_not_seen_to_confine_is_not_believed(program, script, why):
    assert why in examine(python_parts(sys.executable), program(script))


def test_a_program_that_is_not_there_is_not_believed(tmp_path):
    assert examine([], str(tmp_path / "none")) == f"there is no `{tmp_path}/none`"


def test_what_a_profile_says_nothing_of_is_refused_by_name():
    assert {each.name for each in unenforceable(DEFAULT, BELIEVED)} == {"memory", "watched"}
    policy = Policy(network=("example.com",), processes=4)
    assert {each.name for each in unenforceable(policy, BELIEVED)} == {"hosts", "memory", "processes", "watched"}
    assert unenforceable(Policy(**UNLIMITED), BELIEVED) == []
    assert unenforceable(TRUSTED, BELIEVED) == []


def test_where_nothing_was_seen_to_confine_all_is_refused():
    nothing = Machine(0, {"seatbelt": "it was tried and doesn't confine"})
    assert {"files", "file-names", "calls"} <= {each.name for each in unenforceable(Policy(**UNLIMITED), nothing)}


def test_a_process_is_started_through_the_program_and_has_little_left_to_do(tmp_path):
    policy = Policy(**UNLIMITED, read=("/usr/share",))
    ways = Ways(BELIEVED, [])
    confinement = ways.confine(policy, plugin="nosy", venv=sys.prefix, work=str(tmp_path), variables={})
    plan = json.loads(confinement.plan)
    assert plan["outside"]
    assert (plan["filter"], plan["unshare"]) == ("", 0)
    assert "landlock" not in plan
    assert {kind for kind, _ in plan["limits"]} == {1, 4, 8}
    assert isinstance(confinement.wrapper, Seatbelt)
    (said, flag, text, *argv), kept = confinement.wrapper.open(["/python", "-I"], {})
    assert (said, flag, argv, kept) == (PROGRAM, "-p", ["/python", "-I"], [])
    assert f'file-write* (subpath "{os.path.realpath(tmp_path)}"))' in text
    assert confinement.environment["TMPDIR"].startswith(str(tmp_path))
