"""Tables and arrays of pyarrow, in Arrow's own format for streams, which is the same in all its versions.

Above it: `_projection` and `_restoration`; below it: nothing. pyarrow is imported where such a value arrives, and nowhere else.
"""

from __future__ import annotations

import sys

from ._arrays import library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType as Foreign  # what a library gives: of its types nothing is known here

    from ._arrays import Buffer

__all__ = ["MADE", "leaf_of", "plain_of"]

#: Fields of a message, of a batch of a dictionary's, and of a batch.
_VERSION, _HEADER_TYPE, _HEADER, _DATA, _COMPRESSION = 0, 1, 2, 1, 3
_VERSION_5, _DICTIONARY_BATCH = 4, 2
#: pyarrow's name of a class, and the type's on the wire.
_TYPES = {"Table": "arrow-table", "RecordBatch": "arrow-batch", "ChunkedArray": "arrow-chunks", "Array": "arrow-array"}


def leaf_of(value: object) -> tuple[str, object, Buffer] | None:
    """Type, projection and bytes of a table or array; None of anything else."""
    arrow = _imported()
    if arrow is None:
        return None
    for name, kind in _TYPES.items():
        if isinstance(value, getattr(arrow, name)):
            table = arrow.table({"": value}) if name.endswith("Array") else value
            sink = arrow.BufferOutputStream()
            with arrow.RecordBatchStreamWriter(sink, table.schema) as writer:
                writer.write(table)
            return kind, None, memoryview(sink.getvalue()).cast("B")
    return None


def plain_of(value: object, *, scalars_only: bool) -> tuple[object] | None:
    """A scalar as Python's; a table as records and an array as a list, unless scalars are meant. In a tuple of one, else None."""
    arrow = _imported()
    if arrow is None:
        return None
    if isinstance(value, arrow.Scalar):
        return (value.as_py(),)
    if not scalars_only and isinstance(value, (arrow.Table, arrow.RecordBatch, arrow.ChunkedArray, arrow.Array)):
        return (value.to_pylist(),)
    return None


def _imported() -> Foreign | None:
    """The library, where somebody has imported it, and not only begun to."""
    arrow = sys.modules.get("pyarrow")
    return arrow if hasattr(arrow, "Table") and hasattr(arrow, "RecordBatchStreamWriter") else None


def _read(view: Buffer, name: str) -> Foreign:
    arrow = library("pyarrow", "pyarrow." + name)
    data = arrow.py_buffer(bytes(view))
    for message in arrow.ipc.MessageReader.open_stream(data):
        if message.type != "schema" and not _is_plain(message.metadata.to_pybytes()):
            raise ValueError("its columns are compressed")
    with arrow.ipc.open_stream(data) as reader:
        table: Foreign = reader.read_all()
    # It may be a hostile plugin's: Arrow trusts the offsets in a column that nobody has looked at.
    table.validate(full=True)
    return table


def _is_plain(metadata: bytes) -> bool:
    """Whether the columns of a batch lie there as they are. Nobody here compresses any: a few bytes would become any number.

    Source: format/Message.fbs and File.fbs of Arrow. Before version 5 of its messages, what is compressed is said elsewhere.
    """
    message = _offset(metadata, 0)
    version, batch = _field(metadata, message, _VERSION), _field(metadata, message, _HEADER)
    batch += _offset(metadata, batch)
    if metadata[_field(metadata, message, _HEADER_TYPE)] == _DICTIONARY_BATCH:
        batch = _field(metadata, batch, _DATA)
        batch += _offset(metadata, batch)
    is_known = int.from_bytes(metadata[version : version + 2], "little") >= _VERSION_5
    return bool(version) and is_known and not _field(metadata, batch, _COMPRESSION)


def _field(data: bytes, table: int, number: int) -> int:
    """Where a field of a table lies, as FlatBuffers have it; 0 where the table is without it."""
    fields = table - int.from_bytes(data[table : table + 4], "little", signed=True)
    place = 4 + 2 * number
    if place >= int.from_bytes(data[fields : fields + 2], "little"):
        return 0
    offset = int.from_bytes(data[fields + place : fields + place + 2], "little")
    return table + offset if offset else 0


def _offset(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _table(view: Buffer) -> object:
    return _read(view, "Table")


def _batch(view: Buffer) -> object:
    table = _read(view, "RecordBatch")
    columns = [_joined(column) for column in table.columns]
    return sys.modules["pyarrow"].RecordBatch.from_arrays(columns, schema=table.schema)


def _chunks(view: Buffer) -> object:
    return _read(view, "ChunkedArray").column(0)


def _array(view: Buffer) -> object:
    return _joined(_read(view, "Array").column(0))


def _joined(column: Foreign) -> object:
    arrow = sys.modules["pyarrow"]
    if column.num_chunks == 1:
        return column.chunk(0)
    return arrow.concat_arrays(column.chunks) if column.num_chunks else arrow.array([], column.type)


#: How each type is made of its bytes.
MADE: dict[str, Callable[[Buffer], object]] = {
    "arrow-array": _array,
    "arrow-batch": _batch,
    "arrow-chunks": _chunks,
    "arrow-table": _table,
}
