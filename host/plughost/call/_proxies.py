"""Plugin objects for pluggy, made from a manifest: one function for each hook implementation, with its own parameters.

Above it: `attach`; below it: whoever calls, given as a `HookDoor`. pluggy reads a function's parameters from its code object, so
each proxy is a function whose code has them; the code is compiled once for each list of parameters, and shared.
"""

from __future__ import annotations

from functools import lru_cache
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from plughost.call._hooks import HookCall
    from plughost.contract import HookImplementation

__all__ = ["Begun", "HookDoor", "IsolatedPlugin", "begin_ahead", "make_plugin"]


class HookDoor(Protocol):
    """How a proxy reaches the function that it stands for."""

    def call(self, implementation: HookImplementation, args: Sequence[object], kwargs: Mapping[str, object]) -> object: ...

    def begin(self, implementation: HookImplementation, args: Sequence[object]) -> Begun | None: ...

    def wrap(
        self, implementation: HookImplementation, args: Sequence[object], kwargs: Mapping[str, object]
    ) -> Generator[None, object, object]: ...


class Begun:
    """A call that a plugin was asked for. Whoever has it must `finish` or `abandon` it: until then it keeps a worker."""

    __slots__ = ("_end", "args", "call")

    def __init__(self, call: HookCall, args: Sequence[object], end: Callable[[BaseException | None], None]) -> None:
        """`end` is called once, with what the call raises, and gives the worker back."""
        self.call = call
        self.args = args
        self._end = end

    def finish(self) -> object:
        """Wait for the answer. Raises: as `HookCall.result`."""
        try:
            result = self.call.result()
        except BaseException as error:
            self._end(error)
            raise
        self._end(None)
        return result

    def abandon(self) -> None:
        """Nobody wants the answer any more: if it isn't there, its worker ends."""
        self.call.abandon()
        self._end(GeneratorExit())


class _Omitted:
    """The default of a parameter whose default only the plugin knows."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "…"


OMITTED = _Omitted()


class IsolatedPlugin:
    """What pluggy registers for a plugin: its hook implementations as attributes, each of which calls into the plugin's process.

    `__name__` is the name it was registered by, `__version__` the plugin's version.
    """

    def __init__(self, name: str, version: str, implementations: Sequence[HookImplementation], door: HookDoor) -> None:
        self.__name__ = name
        self.__version__ = version
        self.__door__ = door
        self.__implementations__ = {implementation.function: implementation for implementation in implementations}

    def __dir__(self) -> list[str]:
        """The hook implementations alone: pluggy looks at each name that stands here."""
        return [name for name, value in vars(self).items() if isinstance(value, FunctionType)]

    def __repr__(self) -> str:
        return f"<IsolatedPlugin {self.__name__} {self.__version__}>"


def make_plugin(
    name: str, version: str, implementations: Sequence[HookImplementation], *, project: str, door: HookDoor
) -> IsolatedPlugin:
    """The plugin object that answers for these implementations. Starts nothing."""
    plugin = IsolatedPlugin(name, version, implementations, door)
    for implementation in implementations:
        vars(plugin)[implementation.function] = _make_function(implementation, project, door)
    return plugin


def begin_ahead(plugin: IsolatedPlugin, function: str, args: Sequence[object]) -> tuple[HookImplementation, Begun] | None:
    """Ask for a call that pluggy is going to make, which gives no arguments that have defaults.

    None where that can't be: of a generator, or of a plugin that is waiting for this very call.
    """
    implementation = plugin.__implementations__.get(function)
    if implementation is None or "generator" in implementation.kind:
        return None
    begun = plugin.__door__.begin(implementation, args)
    return None if begun is None else (implementation, begun)


def _make_function(implementation: HookImplementation, project: str, door: HookDoor) -> FunctionType:
    code = _compile(implementation.parameters, implementation.optional, implementation.is_wrapper).replace(
        co_name=implementation.function,
        co_filename=f"<plugin {implementation.plugin}>",  # pluggy's warnings and errors name the place
        co_firstlineno=implementation.line,
    )
    names = {
        "__plughost_call__": door.wrap if implementation.is_wrapper else door.call,
        "__plughost_hook__": implementation,
        "__plughost_given__": _given,
    }
    function = FunctionType(code, names, implementation.function, (OMITTED,) * len(implementation.optional))
    function.__qualname__ = implementation.function
    function.__module__ = f"plughost.plugins.{implementation.plugin}"
    setattr(function, f"{project}_impl", dict(implementation.options))
    return function


@lru_cache(maxsize=1024)
def _compile(parameters: tuple[str, ...], optional: tuple[str, ...], is_wrapper: bool) -> CodeType:  # noqa: FBT001 - a part of the key
    """The code of a function of these parameters. They are identifiers without leading underscores pairs, and nothing else."""
    signature = ", ".join((*parameters, *(f"{name}=None" for name in optional)))
    args = ", ".join(parameters)
    kwargs = f"__plughost_given__({', '.join(f'{name}={name}' for name in optional)})" if optional else "{}"
    called = f"__plughost_call__(__plughost_hook__, [{args}], {kwargs})"
    body = f"(yield from {called})" if is_wrapper else called
    module = compile(f"def function({signature}):\n    return {body}\n", "<plugin>", "exec", dont_inherit=True)
    return next(constant for constant in module.co_consts if isinstance(constant, CodeType))


def _given(**kwargs: object) -> dict[str, object]:
    return {name: value for name, value in kwargs.items() if value is not OMITTED}
