"""What a plugin's entry points become in the manifest, and the schemas of its tools; the same on every Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import jsonschema_rs
import pluggy
import pytest

from plughost import _process
from plughost.runner import _docs, _hooks, _load, wire

RUNNER = Path(wire.__file__).parent
PYTHONS = Path("~/.pyenv/versions").expanduser()
VERSIONS = ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"]

#: Describes the entry points in argv[3] of the modules in the folder argv[1], for the project argv[2].
DESCRIBE = f"""
import json, sys
package = type(sys)("plughost_runner")
package.__path__ = [{os.fspath(RUNNER)!r}]
sys.modules["plughost_runner"] = package
folder, project, entry_points = sys.argv[1:]
sys.path[:0] = folder.split(":")
from plughost_runner import _describe
try:
    print(json.dumps(_describe.describe(project, json.loads(entry_points)), allow_nan=False))
except _describe.EntryPointError as error:
    cause = error.__cause__
    print(json.dumps(dict(error=str(error), entry_point=error.entry_point, target=error.target, cause=cause and repr(cause))))
"""


@pytest.fixture
def describe(tmp_path):
    """`describe(code)` is the manifest of the tool `plug:tool` of a module with that code, in a child."""

    def run(code, entry_points=None, *, project="plughost", version="", path=()):
        (tmp_path / "plug.py").write_text(code, encoding="utf-8")
        folder = ":".join(map(os.fspath, (tmp_path, *path)))
        argv = [python(version), "-I", "-S", "-c", DESCRIBE, folder, project, json.dumps(entry_points or {"tool": "plug:tool"})]
        done = _process.run(argv, env=_process.base_environment(), timeout_s=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def describe_tool(describe):
    return lambda code, **options: describe(code, **options)["tools"][0]


def python(version):
    if not version:
        return os.path.realpath(sys.executable)
    found = sorted(PYTHONS.glob(f"{version}.*/bin/python"))
    if not found:
        pytest.skip(f"no Python {version} in {PYTHONS}")
    return os.fspath(found[-1])


def properties(tool):
    jsonschema_rs.validator_for(tool["parameters"])
    return tool["parameters"]["properties"]


# Signatures.


def test_tool_has_its_parameters_in_order_with_defaults_and_what_is_required(describe_tool):
    tool = describe_tool("def tool(b, a: int, *, c: str = 'x', d=object()) -> bool: ...")
    assert list(properties(tool)) == ["b", "a", "c", "d"]
    assert tool == {
        "name": "tool",
        "target": "plug:tool",
        "kind": "function",
        "description": "",
        "parameters": {
            "type": "object",
            "properties": {"b": {}, "a": {"type": "integer"}, "c": {"type": "string", "default": "x"}, "d": {}},
            "required": ["b", "a"],
            "additionalProperties": False,
        },
        "positional": ["b", "a"],
        "variadic": False,
        "returns": {"type": "boolean"},
        "convert": [],
    }


def test_further_arguments_are_allowed_where_the_tool_takes_them(describe_tool):
    tool = describe_tool("def tool(a, /, b, *rest: float, c, **more: int): ...")
    assert tool["positional"] == ["a", "b"]
    assert tool["variadic"] is True
    assert tool["parameters"]["additionalProperties"] == {"type": "integer"}
    assert tool["convert"] == ["a", "rest"]  # positional-only arguments that came by name are moved by the conversion
    assert describe_tool("def tool(**more): ...")["parameters"]["additionalProperties"] is True


def test_callable_without_a_signature_takes_anything(describe_tool):
    tool = describe_tool("tool = dict.fromkeys.__self__", version="3.8")
    assert tool["parameters"] == {"type": "object", "properties": {}, "additionalProperties": True}
    assert tool["variadic"] is True


ANNOTATIONS = {
    "int": {"type": "integer"},
    "float": {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]},
    "str": {"type": "string"},
    "bool": {"type": "boolean"},
    "None": {"type": "null"},
    "bytes": {"type": "string", "contentEncoding": "base64"},
    "Any": {},
    "object": {},
    "Nowhere": {},
    "'not a type'": {},
    "print": {},
    "list": {"type": "array"},
    "List": {"type": "array"},
    "list[int]": {"type": "array", "items": {"type": "integer"}},
    "Sequence[str]": {"type": "array", "items": {"type": "string"}},
    "Iterable['Later']": {"type": "array", "items": {"type": "integer"}},
    "set[str]": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    "FrozenSet[int]": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True},
    "tuple": {"type": "array"},
    "tuple[int, ...]": {"type": "array", "items": {"type": "integer"}},
    "tuple[int, str]": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2, "maxItems": 2},
    "dict": {"type": "object"},
    "dict[str, list[int]]": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "integer"}}},
    "Mapping[str, Any]": {"type": "object"},
    "Optional[int]": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    "int | None": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    "list[int] | dict[str, int | str] | None": {
        "anyOf": [
            {"type": "array", "items": {"type": "integer"}},
            {"type": "object", "additionalProperties": {"anyOf": [{"type": "integer"}, {"type": "string"}]}},
            {"type": "null"},
        ]
    },
    "Union[int, Any]": {},
    "Literal['a', 1, None]": {"enum": ["a", 1, None]},
    "Colour": {"enum": ["red", 2, "BLUE"]},
    "Mode": {"anyOf": [{"type": "integer"}, {"enum": ["READ", "WRITE"]}]},
    "Counter[str]": {"type": "object", "additionalProperties": {"type": "integer"}},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "time": {"type": "string", "format": "time"},
    "timedelta": {"type": "number", "format": "seconds"},
    "Path": {"type": "string", "format": "path"},
    "PurePosixPath": {"type": "string", "format": "path"},
    "os.PathLike": {"type": "string", "format": "path"},
    "Decimal": {"type": ["number", "string"], "format": "decimal"},
    "UUID": {"type": "string", "format": "uuid"},
    "UserId": {"type": "integer"},
    "Bound": {"type": "string"},
    "Callable[[int], int]": {},
}

PREAMBLE = """
from __future__ import annotations
import enum, os
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import *
from uuid import UUID

if TYPE_CHECKING:
    from nowhere import Nowhere

class Colour(enum.Enum):
    RED = "red"
    BLUE = 2

class Mode(enum.Flag):
    READ = 1
    WRITE = 2

UserId = NewType("UserId", int)
Bound = TypeVar("Bound", bound=str)
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_every_annotation_has_its_schema_on_every_python(describe, version):
    code = PREAMBLE + "\n".join(f"def t{n}(x: {text}): ..." for n, text in enumerate(ANNOTATIONS)) + "\nLater = int\n"
    manifest = describe(code, {f"t{n}": f"plug:t{n}" for n in range(len(ANNOTATIONS))}, version=version)
    found = {text: properties(tool)["x"] for text, tool in zip(ANNOTATIONS, manifest["tools"], strict=True)}
    assert found == ANNOTATIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_record_classes_stand_once_in_the_definitions_and_may_be_recursive(describe_tool, version):
    code = """
from __future__ import annotations
import dataclasses
from typing import *

@dataclasses.dataclass
class Node:
    '''A node.

    Attributes:
        name: what it is called.
    '''
    name: str
    next: Node | None = None
    tags: list[str] = dataclasses.field(default_factory=list)
    hidden: int = dataclasses.field(default=0, init=False)

class Options(TypedDict, total=False):
    depth: int

class Point(NamedTuple):
    x: int
    y: int = 0

def tool(a: Node, b: List[Node], c: Options, d: Point) -> Node: ...
"""
    tool = describe_tool(code, version=version)
    node = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "what it is called."},
            "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}], "default": None},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["name"],
        "additionalProperties": False,
    }
    point = {
        "type": "object",
        "properties": {"x": {"type": "integer"}, "y": {"type": "integer", "default": 0}},
        "required": ["x"],
        "additionalProperties": False,
    }
    assert properties(tool) == {
        "a": {"$ref": "#/$defs/Node"},
        "b": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
        "c": {"$ref": "#/$defs/Options"},
        "d": {"$ref": "#/$defs/Point"},
    }
    assert tool["parameters"]["$defs"] == {
        "Node": node,
        "Options": {"type": "object", "properties": {"depth": {"type": "integer"}}, "required": []},
        "Point": {"anyOf": [point, {"type": "array", "maxItems": 2}]},
    }
    assert tool["returns"] == {"$ref": "#/$defs/Node", "$defs": {"Node": node}}


@pytest.mark.parametrize("future", ["", "from __future__ import annotations"])
def test_keys_of_a_typed_dict_are_required_one_by_one(describe_tool, future):
    code = f"""
{future}
from typing import *
class Base(TypedDict):
    a: int
    b: NotRequired[int]
class Child(Base, total=False):
    c: Required[int]
    d: int
def tool(x: Child): ...
"""
    tool = describe_tool(code)
    assert tool["parameters"]["$defs"]["Child"]["required"] == ["a", "c"]


def test_classes_of_one_name_have_definitions_of_their_own(describe_tool):
    code = """
from dataclasses import dataclass
def make(kind):
    @dataclass
    class Same:
        x: kind
    return Same
def tool(a: make(int), b: make(str)): ...
"""
    tool = describe_tool(code)
    assert properties(tool) == {"a": {"$ref": "#/$defs/Same"}, "b": {"$ref": "#/$defs/Same_"}}
    assert tool["parameters"]["$defs"]["Same_"]["properties"] == {"x": {"type": "string"}}


@pytest.mark.parametrize("version", VERSIONS)
def test_generic_class_is_another_one_for_each_type_it_is_for(describe_tool, version):
    code = """
from dataclasses import dataclass
from typing import Dict, Generic, TypeVar
T = TypeVar("T")
@dataclass
class Box(Generic[T]):
    content: Dict[str, T]
class Numbers(Box[int]): ...
def tool(a: Box[int], b: Box[str], c: Numbers, d: Box): ...
"""
    tool = describe_tool(code, version=version)
    assert [place["$ref"] for place in properties(tool).values()] == [f"#/$defs/{n}" for n in ("Box", "Box_", "Numbers", "Box__")]
    contents = {name: made["properties"]["content"] for name, made in tool["parameters"]["$defs"].items()}
    assert contents == {
        "Box": {"type": "object", "additionalProperties": {"type": "integer"}},
        "Box_": {"type": "object", "additionalProperties": {"type": "string"}},
        "Numbers": {"type": "object", "additionalProperties": {"type": "integer"}},
        "Box__": {"type": "object"},
    }


CLICK = """
import click
@click.command()
@click.argument("name")
@click.option("--times", default=1)
def greet(name, times):
    'Greet somebody.'
    click.echo("Hi")
    return [name] * times
"""


def test_click_command_takes_its_words_and_gives_what_its_callback_returns(describe_tool, tmp_path, monkeypatch):
    tool = describe_tool(CLICK, entry_points={"greet": "plug:greet"}, path=[Path(click.__file__).parents[1]])
    assert (tool["kind"], tool["description"], tool["variadic"]) == ("function", "Greet somebody.", True)
    assert tool["parameters"]["additionalProperties"] is False
    (tmp_path / "plug_of_click.py").write_text(CLICK, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    greet = _load.load("plug_of_click:greet")
    assert greet("Ada", "--times", "2") == ["Ada", "Ada"]
    with pytest.raises(click.UsageError, match="name"):
        greet()


def test_fields_of_a_base_are_read_where_the_base_was_written(describe_tool, tmp_path):
    (tmp_path / "base.py").write_text(
        "from __future__ import annotations\nimport dataclasses, datetime as when\n"
        "@dataclasses.dataclass\nclass Base:\n    day: when.date\n"
    )
    code = "import dataclasses, base\n@dataclasses.dataclass\nclass Child(base.Base): ...\ndef tool(x: Child): ..."
    tool = describe_tool(code)
    assert tool["parameters"]["$defs"]["Child"]["properties"] == {"day": {"type": "string", "format": "date"}}


def test_notes_of_annotated_bound_and_describe(describe_tool):
    code = """
from typing import Annotated, Optional

class Bounds:
    def __init__(self, **bounds):
        self.__dict__.update(bounds)

def tool(
    a: Annotated[int, Bounds(ge=1), Bounds(lt=9), "how many"],
    b: Annotated[str, Bounds(min_length=1, max_length=3, pattern="^a")],
    c: Annotated[list, Bounds(min_length=1)],
    d: Annotated[Optional[float], Bounds(gt=0, le=1, multiple_of=0.5)],
    e: Annotated[int, Bounds(description="deeper", metadata=[Bounds(ge=2)])],
): ...
"""
    found = properties(describe_tool(code))
    assert found["a"] == {"type": "integer", "minimum": 1, "exclusiveMaximum": 9, "description": "how many"}
    assert found["b"] == {"type": "string", "minLength": 1, "maxLength": 3, "pattern": "^a"}
    assert found["c"] == {"type": "array", "minItems": 1}
    assert {key: found["d"][key] for key in ("exclusiveMinimum", "maximum", "multipleOf")} == {
        "exclusiveMinimum": 0,
        "maximum": 1,
        "multipleOf": 0.5,
    }
    assert found["e"] == {"type": "integer", "minimum": 2, "description": "deeper"}


def test_default_none_allows_null(describe_tool):
    found = properties(describe_tool("def tool(a: int = None, b=None): ..."))
    assert found == {"a": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}, "b": {"default": None}}


def test_defaults_are_shown_as_json(describe_tool):
    code = """
import datetime, enum, math
class Colour(enum.Enum):
    RED = "red"
def tool(a=datetime.date(2024, 1, 1), b=b"ab", c=math.inf, d=Colour.RED, e={3, 1}): ...
"""
    found = properties(describe_tool(code))
    assert {name: schema["default"] for name, schema in found.items()} == {
        "a": "2024-01-01",
        "b": "YWI=",
        "c": "Infinity",
        "d": "red",
        "e": [1, 3],
    }


def test_type_statement_is_what_it_stands_for(describe_tool):
    tool = describe_tool("type Names = list[str]\ndef tool[T: int](a: Names, b: T): ...", version="3.12")
    assert properties(tool) == {"a": {"type": "array", "items": {"type": "string"}}, "b": {"type": "integer"}}


@pytest.fixture(scope="session")
def libraries(tmp_path_factory):
    """A folder with pydantic and msgspec for the Python that runs the tests."""
    folder = tmp_path_factory.mktemp("libraries")
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable, "--target", folder]
    subprocess.run([*install, "pydantic", "msgspec"], check=True, capture_output=True)
    return folder


def test_models_of_pydantic_and_msgspec_describe_themselves(describe_tool, libraries):
    code = """
from typing import Annotated, List, Optional
import msgspec, pydantic

class Inner(pydantic.BaseModel):
    x: int
    again: Optional["Inner"] = None

class Model(pydantic.BaseModel):
    inner: Inner
    n: int = pydantic.Field(ge=1)

class Leaf(msgspec.Struct):
    y: int

class Tree(msgspec.Struct):
    leaves: List[Leaf]

def tool(a: Model, b: Tree, c: Annotated[int, pydantic.Field(ge=3, description="d")], e: pydantic.PositiveInt): ...
"""
    tool = describe_tool(code, path=[libraries])
    assert properties(tool)["c"] == {"type": "integer", "minimum": 3, "description": "d"}
    assert properties(tool)["e"] == {"type": "integer", "exclusiveMinimum": 0}
    validator = jsonschema_rs.validator_for(tool["parameters"])
    good = {"a": {"inner": {"x": 1, "again": {"x": 2}}, "n": 1}, "b": {"leaves": [{"y": 1}]}, "c": 3, "e": 1}
    assert validator.is_valid(good)
    assert not validator.is_valid({**good, "a": {"inner": {"x": 1, "again": {"x": "a"}}, "n": 1}})
    assert not validator.is_valid({**good, "b": {"leaves": [{"y": "a"}]}})


# Kinds of tools.

TOOLS = """
import functools

def function(a: int): ...
async def coroutine(a: int): ...
def generator(a: int):
    yield 1
async def async_generator(a: int):
    yield 1

def plainly(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper

wrapped = plainly(coroutine)
partial = functools.partial(generator, a=2)

class Tools:
    def method(self, a: int): ...
    @staticmethod
    async def static(a: int): ...
    @classmethod
    def of_class(cls, a: int):
        yield 1

tools = Tools()

class Called:
    'What it does.'
    def __call__(self, a: int): ...

called = Called()

class CalledLater:
    def __init__(self, must): ...
    async def __call__(self, a: int): ...

later = CalledLater(1)

class Made:
    def __init__(self, a: int):
        '''Make one.'''
"""


@pytest.mark.parametrize("version", ["3.8", "3.11", "3.13"])
def test_tools_of_every_kind_have_their_kind_and_their_parameters(describe, version):
    kinds = {
        "function": "function",
        "coroutine": "coroutine",
        "generator": "generator",
        "async_generator": "async-generator",
        "wrapped": "coroutine",
        "partial": "generator",
        "tools.method": "function",
        "tools.static": "coroutine",
        "Tools.method": "function",
        "Tools.static": "coroutine",
        "Tools.of_class": "generator",
        "called": "function",
        "Called": "function",
        "later": "coroutine",
        "Made": "function",
    }
    manifest = describe(TOOLS, {name: f"plug:{name}" for name in kinds}, version=version)
    assert {tool["name"]: tool["kind"] for tool in manifest["tools"]} == kinds
    assert {str(properties(tool)["a"]["type"]) for tool in manifest["tools"]} == {"integer"}
    assert {tool["name"]: tool["description"] for tool in manifest["tools"] if tool["description"]} == {
        "called": "What it does.",
        "Called": "What it does.",
        "Made": "Make one.",
    }


def test_stream_returns_its_items(describe_tool):
    assert describe_tool("from typing import *\ndef tool() -> Iterator[int]:\n    yield 1")["returns"] == {"type": "integer"}
    assert describe_tool("from typing import *\nasync def tool() -> AsyncIterator[str]:\n    yield 1")["returns"] == {
        "type": "string"
    }
    assert describe_tool("def tool(): ...")["returns"] is None
    assert describe_tool("def tool() -> None: ...")["returns"] == {"type": "null"}


# Entry points.


def test_object_offers_several_tools(describe):
    code = """
class Shop:
    def buy(self, what: str): ...
    def sell(self, what: str): ...
    def plughost_tools(self):
        return [self.buy, self.sell]

def plughost_tools():
    return {"add": int.__add__, "shop": Shop().buy}
"""
    manifest = describe(code, {"shop": "plug:Shop", "all": "plug"})
    assert [(tool["name"], tool["target"]) for tool in manifest["tools"]] == [
        ("buy", "plug:Shop#buy"),
        ("sell", "plug:Shop#sell"),
        ("add", "plug#add"),
        ("shop", "plug#shop"),
    ]


HOOKS = """
def mark(**options):
    def apply(function):
        function.myapp_impl = {"wrapper": False, **options}
        return function
    return apply

@mark()
def score(text, config, weight=1): ...

@mark(specname="finish", trylast=True, wrapper=True)
def my_finish(): ...

def not_marked(): ...

class Odd:
    def __getattr__(self, name):
        return lambda: name

odd = Odd()

class Plugin:
    @mark(tryfirst=True)
    def score(self, text): ...
    @staticmethod
    @mark()
    def finish(self_text): ...
    @classmethod
    @mark()
    def start(cls, app): ...
    @property
    def broken(self):
        raise RuntimeError

plugin = Plugin()
"""


def test_marked_functions_are_hook_implementations(describe):
    manifest = describe(
        HOOKS, {"module": "plug", "object": "plug:plugin", "class": "plug:Plugin", "one": "plug:score"}, project="myapp"
    )
    assert manifest["tools"] == []
    off = {"wrapper": False, "hookwrapper": False, "optionalhook": False, "tryfirst": False, "trylast": False, "specname": None}
    assert manifest["hooks"][:2] == [
        {
            "name": "finish",
            "function": "my_finish",
            "target": "plug:my_finish",
            "entry_point": "module",
            "parameters": [],
            "optional": [],
            "kind": "function",
            "line": 11,
            "options": {**off, "wrapper": True, "trylast": True, "specname": "finish"},
        },
        {
            "name": "score",
            "function": "score",
            "target": "plug:score",
            "entry_point": "module",
            "parameters": ["text", "config"],
            "optional": ["weight"],
            "kind": "function",
            "line": 8,
            "options": off,
        },
    ]
    assert [(hook["entry_point"], hook["target"], hook["parameters"]) for hook in manifest["hooks"][2:]] == [
        ("object", "plug:plugin.finish", ["self_text"]),
        ("object", "plug:plugin.score", ["text"]),
        ("object", "plug:plugin.start", ["app"]),
        ("class", "plug:Plugin().finish", ["self_text"]),
        ("class", "plug:Plugin().score", ["text"]),
        ("class", "plug:Plugin().start", ["app"]),
        ("one", "plug:score", ["text", "config"]),
    ]


def test_function_that_gives_the_tools_is_no_hook_implementation_itself(describe):
    code = "def plughost_tools(): return {'a': print}\nplughost_tools.plughost_impl = {}"
    manifest = describe(code, {"all": "plug"})
    assert [tool["name"] for tool in manifest["tools"]] == ["a"]
    assert manifest["hooks"] == []


def test_hook_parameters_are_those_that_pluggy_finds():
    marker = pluggy.HookimplMarker("myapp")

    class Plugin:
        @marker(trylast=True)
        def score(self, text, config, extra=1): ...

    manager = pluggy.PluginManager("myapp")
    plugin = Plugin()
    manager.register(plugin)
    (implementation,) = manager.hook.score.get_hookimpls()

    (hook,) = _hooks.find_hooks("myapp", "name", "module:plugin", plugin)
    assert tuple(hook["parameters"]) == implementation.argnames
    assert tuple(hook["optional"]) == implementation.kwargnames
    assert hook["options"] == dict(implementation.opts)


MAY_BE = "it may be a callable, something with hook implementations of `plughost`, or something with `plughost_tools`"


@pytest.mark.parametrize(
    ("code", "target", "message", "cause"),
    [
        ("1 / 0", "plug:tool", "can't be loaded", "ZeroDivisionError('division by zero')"),
        ("import sys; sys.exit('no')", "plug:tool", "can't be loaded", "SystemExit('no')"),
        ("import nowhere", "plug:tool", "can't be loaded", "ModuleNotFoundError(\"No module named 'nowhere'\")"),
        ("", "plug:tool", "can't be loaded", "AttributeError(\"module 'plug' has no attribute 'tool'\")"),
        (
            "class tool:\n def __init__(self): 1 / 0\n def __call__(self): ...",
            "plug:tool",
            "can't be loaded",
            "ZeroDivisionError('division by zero')",
        ),
        (
            "def plughost_tools(): return ['a']",
            "plug",
            "can't be loaded",
            "TypeError(\"`plughost_tools` gives 'str', which names no callable\")",
        ),
        (
            "def run(): ...",
            "plug",
            f"is a module; {MAY_BE}",
            None,
        ),
        (
            "tool = 5",
            "plug:tool",
            f"is a `int`; {MAY_BE}",
            None,
        ),
    ],
    ids=["raises", "exits", "missing", "attribute", "constructor", "tools", "module", "number"],
)
def test_entry_point_of_no_use_is_named_with_its_cause(describe, code, target, message, cause):
    assert describe(code, {"mine": target}) == {
        "error": f"the entry point `mine = {target}` {message}",
        "entry_point": "mine",
        "target": target,
        "cause": cause,
    }


def test_two_tools_of_one_name_are_refused(describe):
    code = "def tool(): ...\ndef plughost_tools(): return [tool]"
    told = describe(code, {"tool": "plug:tool", "more": "plug"})
    assert told["error"] == "the entry point `more = plug` offers a tool `tool`, and so does another entry point"


def test_extras_and_spaces_of_an_entry_point_are_ignored(describe):
    manifest = describe("class A:\n    def tool(self): ...", {"tool": "plug : A.tool [extra]"})
    assert manifest["tools"][0]["target"] == "plug : A.tool"


def test_target_is_loaded_once_and_a_callable_class_has_one_instance(tmp_path, monkeypatch):
    code = """
class Counter:
    made = 0
    def __init__(self, start=0):
        Counter.made += 1
    def __call__(self):
        return Counter.made

class Plain:
    def __init__(self): ...

class Picky:
    def __init__(self, *, must): ...
    def __call__(self): ...

asked = 0
def plughost_tools():
    global asked
    asked += 1
    return {"counter": Counter, "asked": lambda: asked}
"""
    (tmp_path / "loaded_plug.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    assert _load.load("loaded_plug:Counter")() == 1
    assert _load.load("loaded_plug#counter") is _load.load("loaded_plug:Counter")
    assert _load.load("loaded_plug#asked")() == 1
    assert isinstance(_load.load("loaded_plug:Plain"), type)
    assert isinstance(_load.load("loaded_plug:Picky"), type)
    with pytest.raises(LookupError, match="`loaded_plug` offers no tool `x`"):
        _load.load("loaded_plug#x")


@pytest.mark.parametrize("version", ["3.8", "3.13"])
def test_loading_a_tool_imports_nothing_but_the_plugin(version, tmp_path):
    (tmp_path / "plug.py").write_text("def tool(): ...")
    script = f"""
import sys
package = type(sys)("plughost_runner")
package.__path__ = [{os.fspath(RUNNER)!r}]
sys.modules["plughost_runner"] = package
sys.path.insert(0, {os.fspath(tmp_path)!r})
import importlib
before = set(sys.modules)
from plughost_runner import _load
_load.load("plug:tool")
print(*sorted(set(sys.modules) - before))
"""
    done = _process.run([python(version), "-I", "-S", "-c", script], env=_process.base_environment(), timeout_s=60)
    assert done.stdout.split() == ["__future__", "plug", "plughost_runner._load"]


# Docstrings.

GOOGLE = """Sum it up.

    Over several
    lines.

    Args:
        a: the first
            goes on.

            And on.
        b (int, optional): the second: with a colon.
        *rest: the rest.

    Returns:
        dict[str, int]: the sum.

    Raises:
        ValueError: never.

    Example:
        >>> add(1)
    """
NUMPY = """Sum it up.

    Over several
    lines.

    Parameters
    ----------
    a : int
        the first
        goes on.

        And on.
    b : {1, 2}, optional
        the second: with a colon.
    *rest
        the rest.

    Returns
    -------
    int
        the sum.

    Example
    -------
    >>> add(1)
    """
SPHINX = """Sum it up.

    Over several
    lines.

    :param a: the first
        goes on.

        And on.
    :type a: int
    :param int b: the second: with a colon.
    :param rest: the rest.
    :returns: the sum.
    :rtype: int
    :raises ValueError: never.

    Example:
        >>> add(1)
    """


@pytest.mark.parametrize("text", [GOOGLE, NUMPY, SPHINX], ids=["google", "numpy", "sphinx"])
def test_docstrings_of_the_three_styles_say_the_same(text):
    docs = _docs.parse(text)
    assert docs.description.startswith("Sum it up.\n\nOver several\nlines.\n\nExample")
    assert docs.description.endswith(">>> add(1)")
    assert docs.parameters == {
        "a": "the first goes on.\n\nAnd on.",
        "b": "the second: with a colon.",
        "rest": "the rest.",
    }
    assert docs.returns == "the sum."


def test_text_that_only_looks_like_a_section_stays_text():
    text = "Note: args: are fine.\n\nArgs: none at all\n\n:func:`x` is text"
    docs = _docs.parse(text)
    assert docs.description == text
    assert docs.parameters == {}
    assert _docs.parse(None).description == ""


def test_descriptions_reach_the_schema(describe_tool):
    tool = describe_tool(
        'def tool(a: int) -> int:\n    """Do.\n\n    Args:\n        a: the first.\n\n    Returns:\n        the last.\n    """'
    )
    assert tool["description"] == "Do."
    assert properties(tool)["a"] == {"type": "integer", "description": "the first."}
    assert tool["returns"] == {"type": "integer", "description": "the last."}
