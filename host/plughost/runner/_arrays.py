"""Values that are bytes and a few words about them: bytes, arrays of the standard library, and numpy's.

Above it: `_leaves`, `_projection` and `_restoration`; below it: nothing. On the way out no library is imported: of a class that
nobody has imported, there is no instance to meet. On the way in numpy is, if an array of its comes. The two ends may have
different versions of it: an array travels as its dtype's description, its shape, and its bytes.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

    Buffer = bytes | memoryview
    Leaf = tuple[str, object, Buffer]

__all__ = ["MADE", "MANNER", "NoLibrary", "is_array", "items_of", "leaf_of", "library", "objects_in", "objects_made", "scalar_of"]

_BYTE_FORMATS = frozenset("Bbc")
_CASTABLE = frozenset("BbcHhIiLlQqNnfd?")  # formats in which Python itself makes views
_MOST_ITEMS = 1 << 30  # of an array: those of no bytes cost nothing to announce


class Manner:
    """How values of libraries leave this process: as what they are, or `plainly`, as lists and records for whom they do."""

    plainly = False


MANNER = Manner()


class NoLibrary(Exception):
    """A value came whose library can't be imported here."""


def library(name: str, shown: str) -> ModuleType:
    """Raises: NoLibrary: it can't be imported, of which the message tells; `shown` is the type that needs it."""
    if name in _imported:
        return _imported[name]
    try:
        import importlib

        module = importlib.import_module(name)
    except Exception as error:
        reason = "" if isinstance(error, ModuleNotFoundError) and error.name == name else f" ({type(error).__name__}: {error})"
        raise NoLibrary(f"is a `{shown}`, and {name} can't be imported where it arrived{reason}") from error
    _imported[name] = module
    return module


_imported: dict[str, ModuleType] = {}  # `sys.modules` has those, too, that another thread is in the middle of


def leaf_of(value: object) -> Leaf | None:
    """Type, projection and bytes of a value that is little more than its bytes; None of any other.

    Raises: Exception: the value can't be read.
    """
    numpy = sys.modules.get("numpy")
    if numpy is not None and type(value) is getattr(numpy, "ndarray", None):
        return None if MANNER.plainly else _ndarray(value)
    if isinstance(value, bytes):
        return "bytes", None, value if type(value) is bytes else bytes(value)
    if isinstance(value, bytearray):
        return "bytearray", None, memoryview(value)
    if isinstance(value, memoryview):
        return _memoryview(value)
    array = getattr(sys.modules.get("array"), "array", None)
    if array is not None and isinstance(value, array):
        return "array", value.typecode, memoryview(value).cast("B") if len(value) else b""
    return _ndarray(value) if not MANNER.plainly and is_array(value) else None


def _memoryview(view: memoryview) -> Leaf | None:
    code = view.format.lstrip("@")
    flat = b"" if not view.nbytes else view.cast("B") if view.c_contiguous and code == view.format else view.tobytes()
    if view.ndim == 1 and code in _BYTE_FORMATS:
        return "bytes", None, flat
    if len(code) != 1 or code not in _CASTABLE:  # a format that only ctypes or numpy know
        return None
    return "memoryview", {"format": code, "shape": list(view.shape or ())}, flat


def is_array(value: object) -> bool:
    """Whether it is an array of numpy's, and no more than that: the mask of a masked one would be lost."""
    numpy = sys.modules.get("numpy")
    kind = getattr(numpy, "ndarray", None)
    if kind is None or not isinstance(value, kind):
        return False
    masked = getattr(sys.modules.get("numpy.ma"), "MaskedArray", None)
    return masked is None or not isinstance(value, masked)


def _ndarray(value: object) -> Leaf | None:
    numpy = sys.modules["numpy"]
    array = numpy.asarray(value)
    dtype = array.dtype
    if dtype.hasobject or dtype.isbuiltin == 2 or dtype.kind == "T":  # noqa: PLR2004 - 2: of a library of its own
        return None
    about = {"dtype": _described(dtype), "shape": list(array.shape)}
    flags = array.flags
    if not flags.c_contiguous:
        if flags.f_contiguous:
            about["order"] = "F"
        array = array.T if flags.f_contiguous else numpy.ascontiguousarray(array)
    if not array.nbytes:
        return "ndarray", about, b""
    if dtype.char in _CASTABLE and dtype.isnative:
        return "ndarray", about, memoryview(array).cast("B")
    return "ndarray", about, memoryview(array.reshape(-1).view(numpy.uint8))


def _described(dtype: object) -> object:
    if getattr(dtype, "names", None) is None and getattr(dtype, "subdtype", None) is None:
        return getattr(dtype, "str", None)
    described: object = sys.modules["numpy.lib.format"].dtype_to_descr(dtype)
    return described


def objects_in(value: object) -> dict[str, object] | None:
    """Shape and items of an array of numpy's that holds Python objects, or texts of any length; None of anything else."""
    if not is_array(value):
        return None
    array = sys.modules["numpy"].asarray(value)
    if array.dtype.kind not in "OT":
        return None
    return {"shape": list(array.shape), "items": array.reshape(-1).tolist()}


def items_of(value: object) -> object:
    """An array as lists of values that the wire has a form for."""
    array_type = getattr(sys.modules.get("array"), "array", ())
    if isinstance(value, (memoryview, array_type)):
        return (
            bytes(value)
            if isinstance(value, memoryview) and value.ndim == 1 and value.format in _BYTE_FORMATS
            else value.tolist()
        )
    numpy = sys.modules["numpy"]
    array = numpy.asarray(value)
    if array.dtype.kind == "M":
        return numpy.where(numpy.isnat(array), None, numpy.datetime_as_string(array)).tolist()
    if array.dtype.kind == "m":
        return numpy.where(numpy.isnat(array), None, array / numpy.timedelta64(1, "s")).tolist()
    if array.dtype.names:
        rows = array.reshape(-1)
        columns = [items_of(rows[name]) for name in array.dtype.names]
        records = [dict(zip(array.dtype.names, row)) for row in zip(*_lists(columns))]  # noqa: B905 - `strict` is Python 3.10's
        return records if array.ndim else records[0]
    return array.astype(float).tolist() if array.dtype.char == "g" else array.tolist()


def _lists(columns: Sequence[object]) -> list[list[object]]:
    return [column for column in columns if isinstance(column, list)]


def scalar_of(value: object) -> tuple[object] | None:
    """A scalar of numpy's as Python's, in a tuple of one; None of anything else."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not hasattr(numpy, "generic") or not isinstance(value, numpy.generic):
        return None
    dtype = value.dtype
    if dtype.char in "gG":  # more digits than Python's own have
        return (float(value) if dtype.char == "g" else complex(value),)
    if dtype.kind in "mM" and numpy.datetime_data(dtype)[0] in {"ns", "ps", "fs", "as"}:
        return (value.astype(dtype.kind + "8[us]").item(),)  # what Python's own types hold
    return (value.item(),)


# The way back. Each takes the projection and the bytes, which are somebody else's memory, and copies them.


def _make_bytes(projected: object, view: Buffer) -> object:
    _nothing(projected)
    return bytes(view)


def _make_bytearray(projected: object, view: Buffer) -> object:
    _nothing(projected)
    return bytearray(view)


def _make_text(projected: object, view: Buffer) -> object:
    _nothing(projected)
    # Of a copy: what the other end changes meanwhile must not become an invalid text.
    return str(bytes(view), "utf-8")


def _make_memoryview(projected: object, view: Buffer) -> object:
    assert isinstance(projected, dict)
    shape, code = projected["shape"], projected["format"]
    flat = memoryview(bytearray(view))
    if len(shape) == 1:
        found = flat.cast(code)
    elif not view:  # no such view can be made of nothing
        found = memoryview(b"").cast(code)
    else:
        found = flat.cast(code, shape)
    if view and list(found.shape or ()) != shape:
        raise ValueError
    return found


def _make_array(projected: object, view: Buffer) -> object:
    import array

    if not isinstance(projected, str):
        raise TypeError
    made = array.array(projected)
    made.frombytes(view)
    return made


def _make_ndarray(projected: object, view: Buffer) -> object:
    assert isinstance(projected, dict)
    numpy = library("numpy", "numpy.ndarray")
    shape = tuple(projected["shape"])
    order = "F" if projected.get("order") == "F" else "C"
    dtype = projected["dtype"]
    if isinstance(dtype, list):
        dtype = library("numpy.lib.format", "numpy.ndarray").descr_to_dtype([_field(each) for each in dtype])
    dtype = numpy.dtype(dtype)
    count = 1
    for length in shape:
        if type(length) is not int or length < 0:
            raise ValueError
        count *= length
    if dtype.hasobject or count * dtype.itemsize != len(view) or count > _MOST_ITEMS:
        raise ValueError
    if not view:
        return numpy.zeros(shape, dtype, order)
    return numpy.ndarray(shape, dtype, view, order=order).copy(order)


def _field(described: Sequence[object]) -> tuple[object, ...]:
    """A field of a structured dtype: its name, maybe with a title; its type, which may be fields again; and maybe a shape."""
    name, kind, *shape = described
    return (
        tuple(name) if isinstance(name, list) else name,
        [_field(each) for each in kind] if isinstance(kind, list) else kind,
        *(tuple(each) for each in shape if isinstance(each, list)),
    )


def objects_made(projected: object) -> object:
    """An array of Python objects, from its shape and its items."""
    assert isinstance(projected, dict)
    numpy = library("numpy", "numpy.ndarray")
    items, shape = projected["items"], tuple(projected["shape"])
    flat = numpy.empty(len(items), dtype=object)
    for index, item in enumerate(items):  # one by one, because numpy takes lists of lists for further dimensions
        flat[index] = item
    return flat.reshape(shape).copy()


def _nothing(projected: object) -> None:
    if projected is not None:
        raise TypeError


#: Types that have a frame: how each is made.
MADE: dict[str, Callable[[object, Buffer], object]] = {
    "array": _make_array,
    "bytearray": _make_bytearray,
    "bytes": _make_bytes,
    "memoryview": _make_memoryview,
    "ndarray": _make_ndarray,
    "str": _make_text,
}
