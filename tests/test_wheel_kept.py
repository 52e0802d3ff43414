"""Wheels that are kept: found again, replaced without harm to whoever reads them, and gone in time."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from plughost import _interpreters, wheel
from plughost.paths import Store

PYTHON = _interpreters.own()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def built(tmp_path: Path) -> wheel.BuiltWheel:
    return a_wheel(tmp_path / "built", b"a wheel")


def a_wheel(folder: Path, content: bytes) -> wheel.BuiltWheel:
    folder.mkdir()
    path = folder / "weather-1.0-py3-none-any.whl"
    path.write_bytes(content)
    values = {"name": "weather", "version": "1.0", "requires_python": "", "summary": ""}
    sha256 = hashlib.sha256(content).hexdigest()
    return wheel.BuiltWheel(path=path, sha256=sha256, requires_dist=(), extras=(), entry_points={}, **values)


def keep(store: Store, made_from: str, built: wheel.BuiltWheel, *, lock: Path | None = None, first_stays: bool = False) -> None:
    stage = Path(store.tmp, os.urandom(4).hex())
    stage.mkdir(parents=True)
    wheel.keep(store.kept_wheels, [made_from], built, PYTHON, stage=stage, lock=lock, first_stays=first_stays)


def test_a_wheel_that_is_kept_again_stays_where_a_reader_has_found_it(store: Store, built: wheel.BuiltWheel) -> None:
    keep(store, "commit", built)
    kept = wheel.find_kept(store.kept_wheels, ["commit"])
    assert kept is not None
    before = kept.wheel.path.stat().st_ino
    keep(store, "commit", built)
    assert kept.wheel.path.stat().st_ino == before


def test_another_wheel_of_the_same_commit_takes_its_place(store: Store, built: wheel.BuiltWheel, tmp_path: Path) -> None:
    keep(store, "commit", built)
    again = a_wheel(tmp_path / "again", b"built once more")
    keep(store, "commit", again)
    kept = wheel.find_kept(store.kept_wheels, ["commit"])
    assert kept is not None
    assert (kept.wheel.sha256, kept.wheel.path.read_bytes()) == (again.sha256, b"built once more")


def test_of_two_that_build_the_same_the_first_is_kept_unless_it_is_damaged(
    store: Store, built: wheel.BuiltWheel, tmp_path: Path
) -> None:
    keep(store, "sdist", built, first_stays=True)
    again = a_wheel(tmp_path / "again", b"built by another one")
    keep(store, "sdist", again, first_stays=True)
    first = wheel.find_kept(store.kept_wheels, ["sdist"])
    assert first is not None
    assert first.wheel.sha256 == built.sha256
    first.wheel.path.write_bytes(b"a whee!")
    keep(store, "sdist", again, first_stays=True)
    second = wheel.find_kept(store.kept_wheels, ["sdist"])
    assert second is not None
    assert second.wheel.sha256 == again.sha256


def test_a_kept_wheel_that_is_damaged_is_not_used(store: Store, built: wheel.BuiltWheel) -> None:
    keep(store, "commit", built)
    (path,) = Path(store.kept_wheels).glob("*/*.whl")
    path.write_bytes(b"a whee!")
    assert wheel.find_kept(store.kept_wheels, ["commit"]) is None


@pytest.mark.parametrize("record", [b"", b"[]", b"\xff", b"[" * 100_000])
def test_a_damaged_record_of_what_is_kept_is_replaced(store: Store, built: wheel.BuiltWheel, record: bytes) -> None:
    keep(store, "commit", built)
    (path,) = Path(store.kept_wheels).glob("*/kept.json")
    path.write_bytes(record)
    assert wheel.find_kept(store.kept_wheels, ["commit"]) is None
    keep(store, "commit", built)  # finds it damaged
    keep(store, "commit", built)
    assert wheel.find_kept(store.kept_wheels, ["commit"]) is not None


def test_a_kept_lock_that_was_altered_is_not_used(store: Store, built: wheel.BuiltWheel, tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text("idna 3.7")
    keep(store, "commit", built)
    keep(store, "commit", built, lock=tmp_path)
    kept = wheel.find_kept(store.kept_wheels, ["commit"])
    assert kept is not None
    assert kept.lock is not None
    (kept.lock / "uv.lock").write_text("idna 6.6")
    kept = wheel.find_kept(store.kept_wheels, ["commit"])
    assert kept is not None
    assert kept.lock is None


def test_what_is_kept_for_more_than_a_week_goes_whoever_else_deletes_it(store: Store, built: wheel.BuiltWheel) -> None:
    for number in range(20):
        keep(store, f"commit {number}", built)
    for folder in Path(store.kept_wheels).iterdir():
        os.utime(folder, (time.time() - 8 * 86400,) * 2)
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            keep(store, f"new {number}", built)
        except OSError as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(list(Path(store.kept_wheels).iterdir())) == 6
