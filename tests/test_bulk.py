"""Large values, arrays and tables: through shared memory, in the stream where there is none, and against a hostile other end."""

from __future__ import annotations

import array
import json
import mmap
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import plughost
from plughost.errors import PluginCrashed, PluginError
from plughost.runner import _bulk, arena, framing, wire
from plughost.worker import _bulk as opening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plughost import Host

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="no memory without a name on this system")

LARGE = 1 << 16
HUGE = 1 << 25
AT_ONCE_S = 60

VALUES = {
    "bytes": os.urandom(LARGE),
    "bytearray": bytearray(os.urandom(LARGE)),
    "array": array.array("d", range(LARGE)),
    "text": "é" * LARGE,
    "text in ASCII": "x" * LARGE,
    "several": [b"a" * LARGE, {"b": "b" * LARGE, "c": bytearray(10)}, None, array.array("i", range(LARGE))],
    "deep": {"a": [[[[b"a" * LARGE, {1, 2}]]]]},
    "surrogate": "\ud800" * LARGE,
    "nothing": b"",
    "many": [b"x" * 20] * 200 + [b"y" * LARGE],
}


@pytest.fixture
def host(store_with_bulk: Path) -> Iterator[Host]:
    with plughost.Host(store=store_with_bulk) as host:
        yield host


@pytest.fixture(scope="module")
def store_with_bulk(tmp_path_factory: pytest.TempPathFactory, uv_cache: Path, session_repository: Callable[[str], str]) -> Path:
    """A store with the plugin `bulk` thrice: alone, with the newest arrays and tables, and, as `older`, with earlier ones."""
    store = tmp_path_factory.mktemp("bulk") / "store"
    (store / "cache").mkdir(parents=True)
    (store / "cache" / "uv").symlink_to(uv_cache, target_is_directory=True)
    with plughost.Host(store=store) as host:
        source = session_repository("bulk")
        host.add(source)
        host.add(source, name="newest", with_=["numpy", "pandas", "pyarrow"])
        host.add(source, name="older", with_=["numpy<2", "pandas<2.2"])
    return store


def descriptors_of_memory() -> list[str]:
    """The memory without a name that this process has open."""
    found = []
    for entry in os.scandir("/proc/self/fd"):
        try:
            if "memfd:plughost" in os.readlink(entry.path):
                found.append(entry.path)
        except FileNotFoundError:  # of the listing itself
            pass
    return found


def shared_memory() -> list[os.stat_result]:
    return [os.stat(path) for path in descriptors_of_memory()]


def wait_until(condition: Callable[[], object]) -> None:
    until = time.monotonic() + AT_ONCE_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("name", VALUES)
def test_large_values_arrive_as_they_were_by_the_stream_and_by_shared_memory(host: Host, name: str) -> None:
    value = VALUES[name]
    for _ in range(3):  # by the stream, then by the memory
        assert host.call("bulk", "echo", value) == value
        assert type(host.call("bulk", "echo", value=value)) is type(value)


def test_memory_is_shared_once_something_large_has_come_and_takes_one_descriptor_on_each_side(host: Host) -> None:
    for size in (0, 10, 1000, 16_000):
        host.call("bulk", "echo", b"x" * size)
    assert not shared_memory()
    before = host.call("bulk", "measure")["descriptors"]
    for number in range(200):
        host.call("bulk", "echo", [bytes([number]) * LARGE, "x" * LARGE])
    assert len(shared_memory()) == 1
    assert host.call("bulk", "measure")["descriptors"] == before + 1


def test_a_large_result_alone_is_reason_enough_to_share_memory(host: Host) -> None:
    assert host.call("bulk", "make", LARGE) == bytes(LARGE)
    assert host.call("bulk", "make", LARGE, "str") == "\0" * LARGE
    assert len(shared_memory()) == 1


def test_items_of_a_stream_wait_in_the_memory_until_they_are_read(host: Host) -> None:
    host.call("bulk", "make", LARGE)
    items = list(host.stream("bulk", "stream", 300, LARGE))
    assert [item[:1] for item in items] == [bytes([number % 256]) for number in range(300)]
    assert {len(item) for item in items} == {LARGE}


def test_what_is_idle_gives_its_memory_back(host: Host) -> None:
    data = bytes(HUGE)
    for _ in range(3):
        assert len(host.call("bulk", "echo", data)) == HUGE
    (memory,) = shared_memory()
    assert memory.st_blocks * 512 >= 2 * HUGE
    # The child gives its half back by itself; the host does when something else is sent.
    wait_until(lambda: shared_memory()[0].st_blocks * 512 < HUGE + (4 << 20))
    wait_until(lambda: host.call("bulk", "echo", b"x" * LARGE) and shared_memory()[0].st_blocks * 512 < 4 << 20)
    assert host.call("bulk", "measure")["shared"] < 4 << 20


def test_a_crash_leaves_no_memory_behind(host: Host) -> None:
    for _ in range(3):
        host.call("bulk", "echo", bytes(LARGE))
        with pytest.raises(PluginCrashed):
            host.call("bulk", "crash", bytes(LARGE))
        assert not shared_memory()


def test_where_no_memory_can_be_shared_large_values_go_by_the_stream(host: Host) -> None:
    host.call("bulk", "forbid")
    for _ in range(3):
        assert host.call("bulk", "echo", VALUES["several"]) == VALUES["several"]
    assert not shared_memory()


def test_a_value_that_needs_a_library_names_it_and_the_worker_lives_on(host: Host) -> None:
    before = host.call("newest", "measure")["pid"]
    with pytest.raises(PluginError) as caught:
        host.call("newest", "grid", 5)
    assert caught.value.message == (
        "`newest:grid` returned a value that can't be sent: "
        "`result.grid` is a `numpy.ndarray`, and numpy can't be imported where it arrived"
    )
    assert host.call("newest", "measure")["pid"] == before


def test_a_command_shows_arrays_and_tables_without_their_libraries(store_with_bulk: Path, plughost_command) -> None:
    home = {"PLUGHOST_HOME": str(store_with_bulk)}
    told = plughost_command("run", "newest:grid", "rows=2", env=home)
    assert (told.returncode, told.stdout, told.stderr) == (0, '{"grid":[[0.0,0.0],[0.0,0.0]]}\n', "")
    lines = plughost_command("run", "newest:tables", env=home).stdout.splitlines()
    assert lines[:7] == [
        "[[0,1],[2,3]]",
        '[1.5,"NaN"]',
        '["2024-01-01"]',
        '[1,"a"]',
        '[{"city":"Bern","at":"2024-01-01T00:00:00"},{"city":"Thun","at":null}]',
        '["Bern","Thun"]',
        '[{"x":1},{"x":null}]',
    ]
    assert json.loads(lines[7]) == [0] * 20_000
    assert plughost_command("up", env=home).returncode == 0
    try:
        assert plughost_command("run", "newest:grid", "rows=2", env=home).stdout == told.stdout
    finally:
        plughost_command("down", env=home)
    kept = plughost_command("run", "older:grid", "rows=1", "--record-arguments", env={**home, "PLUGHOST_ISOLATION": "call"})
    assert kept.stdout == '{"grid":[[0.0,0.0]]}\n'
    number = plughost_command("logs", "older", "--json", env=home).json()[-1]["id"]
    assert plughost_command("replay", str(number), "--json", env=home).json()["same"] is True


# Arrays and tables, whose libraries the host of these tests has not: a host of their own, in the plugin's environment.


def test_arrays_and_tables_arrive_as_they_were_at_the_same_and_at_other_versions(store_with_bulk: Path) -> None:
    with plughost.Host(store=store_with_bulk) as host:
        python = Path(host.info("newest").environment) / "bin" / "python"
    site = next(path for path in sys.path if path.endswith("site-packages"))
    script = Path(__file__).parent / "arrays.py"
    done = subprocess.run(
        [python, "-W", "error", script, store_with_bulk],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(plughost.__file__).parents[1]), site])},
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout)
    assert said["failures"] == []
    for refusal, what in zip(
        said["refusals"],
        ("numpy can't be", "numpy can't be", "`pyarrow.Table`, and pyarrow can't be", "MaskedArray`, which has no wire form"),
        strict=True,
    ):
        assert what in refusal
    assert set(said["swellings"]) == {"`result` is a `pyarrow.Table` that can't be made here: its columns are compressed"}


# What a hostile child may offer, and what it may send.


def offer(*, size: int = arena.SIZE_BYTES, seals: int = arena.NEEDED_SEALS, flags: int = os.MFD_ALLOW_SEALING) -> int:
    import fcntl

    descriptor = os.memfd_create("plughost", flags)
    os.ftruncate(descriptor, size)
    if seals:
        fcntl.fcntl(descriptor, 1033, seals)
    return descriptor


@pytest.mark.parametrize(
    "make",
    [
        lambda: offer(seals=0),
        lambda: offer(seals=arena.NEEDED_SEALS & ~0x2),
        lambda: offer(seals=arena.NEEDED_SEALS & ~0x1),
        lambda: offer(seals=arena.NEEDED_SEALS | 0x8),
        lambda: offer(seals=arena.NEEDED_SEALS | 0x10),
        lambda: offer(size=mmap.PAGESIZE),
        lambda: offer(size=arena.SIZE_BYTES * 2),
        lambda: os.open(__file__, os.O_RDWR),
        lambda: os.open(os.devnull, os.O_RDWR),
        lambda: os.open("/", os.O_RDONLY),
        lambda: os.pipe()[0],
        lambda: 1 << 20,
        lambda: -1,
        lambda: True,
        lambda: "0/../../self/fd/0",
        lambda: None,
    ],
    ids=[
        "unsealed",
        "may shrink",
        "seals may change",
        "can't be written",
        "can't be mapped",
        "small",
        "large",
        "file",
        "device",
        "folder",
        "pipe",
        "no descriptor",
        "negative",
        "boolean",
        "text",
        "nothing",
    ],
)
def test_memory_that_is_not_as_it_should_be_is_not_used(make: Callable[[], object]) -> None:
    said: list[bytes] = []
    bulk = opening.Bulk(said.append)
    bulk.pid = os.getpid()
    offered = make()
    before = len(os.listdir("/proc/self/fd"))
    bulk.heard(offered)
    assert bulk.receiving is None
    assert b"true" not in b"".join(said)
    assert len(os.listdir("/proc/self/fd")) == before
    if type(offered) is int and offered > 0:
        try:
            os.close(offered)
        except OSError:
            pass


class Ends:
    """Both ends of shared memory, in one process."""

    def __init__(self) -> None:
        self.child = _bulk.Offer()
        self.child.outgrown()
        self.host = opening.Bulk(self._told)
        self.host.pid = os.getpid()
        self.host.heard(self.child.news)

    def _told(self, line: bytes) -> None:
        self.child.heard(json.loads(line)["memory"])

    def close(self) -> None:
        self.host.close()
        self.child.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    ends = Ends()
    yield ends
    ends.close()


def test_nobody_can_take_a_page_away_under_the_other(ends: Ends) -> None:
    with pytest.raises(PermissionError):
        os.truncate(descriptors_of_memory()[0], 0)
    assert ends.host.sending is not None


@pytest.mark.parametrize(
    "frames",
    [
        [[0, 8]],
        [[mmap.PAGESIZE, 8]],
        [[arena.SIZE_BYTES // 2 - 8, 16]],
        [[arena.SIZE_BYTES - 8, 9]],
        [[arena.SIZE_BYTES, 1]],
        [[1 << 80, 1]],
        [[arena.SIZE_BYTES // 2, 1 << 80]],
        [[-8, 8]],
        [[arena.SIZE_BYTES // 2, -1]],
        [[True, 1]],
        [[1.0, 1]],
        [["0", 1]],
        [[arena.SIZE_BYTES // 2]],
        [[arena.SIZE_BYTES // 2, 1 << 29]] * 3,
        {"0": 1},
    ],
)
def test_places_outside_of_what_the_child_writes_are_refused(ends: Ends, frames: object) -> None:
    assembler = framing.Assembler(ends.host)
    count = len(frames) if isinstance(frames, list) else 1
    message = {"id": 1, "result": [None] * count, "types": {"bytes": [[place] for place in range(count)]}, "frames": frames}
    assembler.feed(json.dumps(message).encode() + b"\n")
    with pytest.raises(wire.WireError):
        assembler.next()


def test_a_place_is_of_no_use_before_memory_is_shared() -> None:
    assembler = framing.Assembler(opening.Bulk(lambda _: None))
    assembler.feed(b'{"id":1,"result":null,"types":{"bytes":[[]]},"frames":[[4096,8]]}\n')
    with pytest.raises(wire.WireError):
        assembler.next()


def test_what_the_child_writes_later_changes_nothing_that_has_arrived(ends: Ends) -> None:
    assembler = framing.Assembler(ends.host)
    for part in wire.pack({"id": 1, "result": [bytearray(b"a" * LARGE), "b" * LARGE, b"d" * LARGE]}, ends.child):
        assembler.feed(part)
    message = assembler.next()
    assert message is not None
    assert ends.child.sending is not None
    ends.child.sending.put(b"c" * LARGE * 3)
    assert message["result"] == [b"a" * LARGE, "b" * LARGE, b"d" * LARGE]


def test_memory_that_nobody_reads_is_not_written_again(ends: Ends) -> None:
    first, second = (wire.pack({"result": bytes([number]) * LARGE}, ends.child) for number in (1, 2))
    assembler = framing.Assembler(ends.host)
    for number, parts in enumerate((first, second), 1):
        for part in parts:
            assembler.feed(part)
        message = assembler.next()
        assert message is not None
        assert message["result"] == bytes([number]) * LARGE
    (third,) = wire.pack({"result": bytes(LARGE)}, ends.child)
    assert json.loads(third)["frames"] == json.loads(first[0])["frames"]  # all is read, and it starts anew


@pytest.mark.parametrize("value", [b"", b"x", b"y" * LARGE, "é" * LARGE, b"z" * 4 * LARGE, "z" * 5 * LARGE, bytearray(LARGE)])
def test_a_value_alone_arrives_by_the_quick_way_and_by_the_other(ends: Ends, value: object) -> None:
    args: list[object] = [None]
    rest = ends.host.enclose_call([value], {})
    ends.child.disclose_call(args, {}, rest[rest.index(',"types"') :])
    line = ends.child.enclose(args[0])
    assembler = framing.Assembler(ends.host)
    assembler.feed(b'{"id":1,"result":' + line.encode())
    message = assembler.next()
    assert message is not None
    for arrived in (args[0], ends.host.disclose(None, line[line.index(',"types"') :]), message["result"]):
        assert arrived == value
        assert type(arrived) is type(value)


def test_what_was_laid_in_the_place_for_a_value_alone_is_no_block_that_was_taken(ends: Ends) -> None:
    assert ends.child.sending is not None
    first = ends.child.sending.put(b"a" * LARGE)
    assembler = framing.Assembler(ends.host)
    assembler.feed(b'{"id":1,"result":' + ends.child.enclose(b"b" * LARGE).encode())
    message = assembler.next()
    assert message is not None
    assert message["result"] == b"b" * LARGE
    assert ends.child.sending.put(b"c" * LARGE) != first  # which nobody has read


@pytest.mark.parametrize("size", [-1, (1 << 18) + 1, 1 << 31, 1 << 80, "", "1e3", "8]],[[8", "8]]}\n{"])
def test_a_size_that_no_value_alone_can_have_is_refused(ends: Ends, size: object) -> None:
    with pytest.raises(wire.WireError):
        ends.host.disclose(None, f',"types":{{"bytes":[[]]}},"frames":[[{arena.SIZE_BYTES // 2},{size}]]}}\n')


def test_counters_that_lie_harm_only_who_writes_them(ends: Ends) -> None:
    assert ends.host.sending is not None
    assert ends.child.receiving is not None
    ends.child.receiving.took((1 << 63) - 1)
    places = [ends.host.sending.put(b"x" * LARGE) for _ in range(3)]
    assert len(set(places)) == 3
