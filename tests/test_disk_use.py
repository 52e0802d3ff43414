"""How much a work directory holds; what a plugin does to hide it is in `test_limits.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plughost.sandbox._disk import LEAST_BYTES, DiskUse

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


def test_a_folder_is_counted_piece_by_piece_and_each_name_of_a_file_by_its_share(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for number in range(500):
        (tmp_path / str(number)).touch()
    (tmp_path / "large").write_bytes(b"x" * MIB)
    (tmp_path / "again").hardlink_to(tmp_path / "large")
    (tmp_path / "elsewhere").symlink_to("/usr")
    use = DiskUse(str(tmp_path))
    looks = 1
    while not use.look(0.0):
        looks += 1
    assert looks > 1
    assert use.used_bytes == 502 * LEAST_BYTES + (tmp_path / "large").stat().st_blocks * 512
    for path in tmp_path.iterdir():
        if path.is_file() and not path.is_symlink():
            path.unlink()
    assert use.look(1.0)
    assert use.used_bytes == 2 * LEAST_BYTES


def test_a_folder_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    assert DiskUse(str(tmp_path / "none")).look(1.0)
