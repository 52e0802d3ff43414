"""What other people's packages do by way of the standard library: it works in the default policy, or is refused in words."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from plughost import Host, PluginError
from plughost.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="confines by the Linux kernel"),
    pytest.mark.usefixtures("confined"),
]


@pytest.fixture(scope="module")
def store(store_with: Callable[..., Path]) -> Path:
    return store_with("ordinary")


@pytest.fixture
def call(store: Path) -> Iterator[Callable[..., object]]:
    """In the default policy."""
    with Host("plughost", store=store) as host:
        yield lambda tool, *args: host.call("ordinary", tool, *args)


@pytest.fixture
def call_with_children(store: Path) -> Iterator[Callable[..., object]]:
    with Host("plughost", store=store, policy=Policy(processes=16, execute=["/usr/bin"])) as host:
        yield lambda tool, *args: host.call("ordinary", tool, *args)


def test_libraries_are_found_without_programs_that_list_them(call):
    assert call("find_library", "c").startswith("libc.")
    assert call("find_library", "no-such-library") is None


def test_memory_without_a_file_can_be_mapped(call, call_with_children):
    assert call("unnamed_memory") == call_with_children("unnamed_memory") == [1 << 20] * 3


@pytest.mark.parametrize("isolation", ["worker", "call"])
def test_memory_without_a_file_is_shared_with_children(store, isolation):
    with Host(store=store, policy=Policy(processes=16), isolation=isolation) as host:
        assert [host.call("ordinary", "shared_with_child") for _ in range(3)] == [b"hello"] * 3


def test_named_memory_needs_no_process_that_looks_after_it(call, call_with_children):
    assert call("named_memory") == call_with_children("named_memory") == b"hello"


def test_a_process_finds_itself_by_its_number(call):
    (pid, threads), number = call("own_threads")
    assert int(pid) == number
    assert int(threads) >= 1
    assert call("own_program") == os.path.realpath(sys.executable)


def test_which_libraries_are_loaded_can_be_told_in_a_forked_worker_too(store):
    with Host(store=store, isolation="call") as host:
        first, forked, other = (host.call("ordinary", "own_libraries") for _ in range(3))
    assert forked == other
    assert {path for path in first if "libc" in path} <= set(forked)


def test_libraries_that_compute_start_no_more_threads_than_fit(store):
    few = "1" if (os.cpu_count() or 1) > 1 else None
    unlimited = {"memory": "unlimited", "threads": "unlimited"}
    for policy, number in (({"memory": "60 MiB"}, few), ({"threads": 3}, few), (unlimited, None)):
        with Host("plughost", store=store, policy=policy) as host:
            assert host.call("ordinary", "getenv", "OPENBLAS_NUM_THREADS") == number


def test_a_variable_that_is_passed_on_says_how_many_threads_compute(store, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with Host(store=store, policy={"threads": 3, "environment": ["OMP_*"]}) as host:
        assert host.call("ordinary", "getenv", "OMP_NUM_THREADS") == "2"


def test_the_machine_and_services_have_names(call):
    assert call("gethostbyname", call("own_name")) == "127.0.0.1"
    assert call("getservbyname", "https") == 443


def test_the_shell_is_among_the_programs(call_with_children):
    assert call_with_children("run", "echo $((1 + 1)) | cat") == "2\n"
    assert call_with_children("spawned") == [1, 2]


def test_children_find_what_is_installed(call_with_children):
    assert call_with_children("children_with_site") == [True]


@pytest.mark.parametrize(
    ("tool", "argument", "what", "more"),
    [
        ("fork", None, "no process can be forked", ""),
        ("spawned", None, "`{python}` can't be started", ""),
        ("run", ["git", "--version"], "`git` can't be started", " execute=/usr/bin"),
        ("run", "exit 0", "`/bin/sh` can't be started", " execute=/usr/bin"),
    ],
)
def test_a_process_that_is_denied_is_told_with_what_would_allow_it(call, store, tool, argument, what, more):
    with pytest.raises(PluginError) as refused:
        call(tool, *([] if argument is None else [argument]))
    assert isinstance(refused.value, PermissionError)
    remedy = f"`plughost --store {store} policy set ordinary processes=16{more}` would allow it"
    with Host(store=store) as host:
        python = os.path.join(host.info("ordinary").environment, "bin", "python")
    assert refused.value.remote_message.endswith(
        f"plughost: {what.format(python=python)}: the policy of `ordinary` has processes = 1; {remedy}"
    )


@pytest.mark.parametrize("program", ["env", "/usr/bin/env"])
def test_a_program_that_the_policy_does_not_name_is_told_with_what_would_allow_it(store, program):
    with Host("plughost", store=store, policy=Policy(processes=16)) as host, pytest.raises(FileNotFoundError) as refused:
        host.call("ordinary", "run", [program])
    remedy = f"`plughost --store {store} policy set ordinary execute=/usr/bin` lets it if the app did, too"
    assert isinstance(refused.value, PluginError)
    assert refused.value.hint == f"The plugin may not execute `/usr/bin/env`: {remedy}"


def test_a_program_that_the_shell_is_denied_is_told_in_what_is_printed(store):
    with Host(store=store) as host:
        outcome = host.invoke("ordinary", "system", args=["true"])
    assert outcome.result == 127 << 8
    assert "plughost: `/bin/sh` can't be started" in outcome.output
