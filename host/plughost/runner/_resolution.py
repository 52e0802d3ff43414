"""Annotations as types: text evaluated, names found, and the words of a later Python understood by an earlier one.

Above it: `_annotations`; below it: `typing`. An annotation that can't be resolved is `typing.Any`, for it may name what only a
type checker imports.
"""

from __future__ import annotations

import ast
import collections
import collections.abc
import sys
import types
import typing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["resolved"]


def resolved(annotation: object, scope: Mapping[str, object]) -> object:
    """The type that `annotation` is, with the names in it looked up in `scope`; `typing.Any` if it is none that can be found."""
    try:
        found = _with_names_resolved(annotation, scope)
        # Python 3.8 leaves the names alone that stand as text within an annotation that is text.
        return _with_names_resolved(found, scope) if isinstance(annotation, str) else found
    except Exception:  # noqa: BLE001 - an annotation is any expression at all, and evaluating it may do anything
        if not isinstance(annotation, str):
            return typing.Any
    try:
        return _with_names_resolved(_evaluated(annotation, scope), scope)
    except Exception:  # noqa: BLE001
        return typing.Any


def _with_names_resolved(annotation: object, scope: Mapping[str, object]) -> object:
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    if sys.version_info >= (3, 9):
        return typing.get_type_hints(holder, dict(scope), include_extras=True)["it"]
    return typing.get_type_hints(holder, dict(scope))["it"]


# Annotations in the words of a later Python: `int | None` before 3.10, `list[int]` before 3.9.


def _evaluated(annotation: str, scope: Mapping[str, object]) -> object:
    tree = ast.fix_missing_locations(_Spelled().visit(ast.parse(annotation.strip(), mode="eval")))
    code = compile(tree, "<annotation>", "eval")
    names = {**scope, "__union": lambda *options: typing.Union[options], "__inside": _inside}
    return eval(code, names)  # noqa: S307 - as get_type_hints does; it is the plugin's own code, in its own process


class _Spelled(ast.NodeTransformer):
    """`a | b` and `a[b]` as calls, which can do what the operators can't yet."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        return _call("__union", node.left, node.right) if isinstance(node.op, ast.BitOr) else node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        index = node.slice
        return _call("__inside", node.value, getattr(index, "value", index) if type(index).__name__ == "Index" else index)


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(func=ast.Name(id=name, ctx=ast.Load()), args=list(arguments), keywords=[])


_TYPING_NAMES: dict[type, str] = {
    frozenset: "FrozenSet",
    collections.OrderedDict: "OrderedDict",
    collections.abc.Set: "AbstractSet",
    collections.defaultdict: "DefaultDict",
}


def _inside(base: Mapping[object, object], index: object) -> object:
    try:
        return base[index]
    except TypeError:
        if not isinstance(base, type):
            raise
        name = _TYPING_NAMES.get(base, base.__name__[:1].upper() + base.__name__[1:])
        return vars(typing)[name][index]
