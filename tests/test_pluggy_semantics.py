"""What pluggy makes of a plugin in process, it makes of the same plugin in a child. Most cases are run both ways."""

from __future__ import annotations

import os
import re
import signal
import sys
import warnings
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy
import pytest

import plughost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

hookspec = pluggy.HookspecMarker("app")
hookimpl = pluggy.HookimplMarker("app")

#: The package's entry points; each is a plugin.
ENTRY_POINTS = ("around", "inner", "forms")

WRAPPED = [
    f"{style}_{what}"
    for style in ("new", "old")
    for what in (
        *("pass_on", "replace", "extend", "change_in_place", "raise_before", "raise_after", "yield_twice", "never_yield"),
        *("catch", "convert", "raise_over", "let_through", "see", "runtime_error", "stop"),
    )
]


@pytest.fixture(scope="module")
def app(
    tmp_path_factory: pytest.TempPathFactory, uv_cache: Path, session_repository: Callable[[str], str]
) -> Iterator[plughost.Host]:
    """A host that has the package twice, as `first` and as `second`."""
    store = tmp_path_factory.mktemp("app")
    (store / "cache").mkdir()
    (store / "cache" / "uv").symlink_to(uv_cache, target_is_directory=True)
    with plughost.Host("app", store=store) as host:
        for name in ("first", "second"):
            host.add(session_repository("wrapping"), name=name)
        yield host


@pytest.fixture(scope="module")
def local() -> Iterator[dict[str, object]]:
    """The same plugins in process, by their entry points."""
    sys.path.insert(0, str(Path(__file__).parent / "packages" / "wrapping"))
    yield {
        "around": import_module("wrapping.around"),
        "inner": import_module("wrapping.inner"),
        "forms": import_module("wrapping.forms").plugin,
    }
    del sys.path[0]


@pytest.fixture
def pm() -> pluggy.PluginManager:
    return pluggy.PluginManager("app")


def attach(app: plughost.Host, pm: pluggy.PluginManager, package: str, *entry_points: str) -> list[object]:
    """Attach these plugins of a package and no others."""
    for other in set(ENTRY_POINTS) - set(entry_points):
        pm.set_blocked(f"{package}:{other}")
    return app.attach(pm, [package])


def outcome(call: Callable[[], object]) -> tuple[object, list[type[Warning]]]:
    """What a call comes to, and of what it warns; an error by what the plugin raised."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            came_to: object = call()
        except plughost.PluginError as error:
            came_to = (error.type_name, error.remote_message)
        except BaseException as error:  # noqa: BLE001 - it is what is compared
            came_to = (type(error).__name__, re.sub(r"(<plugin \S+|\S+):\d+", "PLACE", str(error)))
    return came_to, [warning.category for warning in caught]


# Wrappers.


@pytest.mark.parametrize("hook", [*WRAPPED, "nested", "nested_error"])
@pytest.mark.parametrize("isolated", ["wrapper", "wrapped", "both apart", "both together"])
def test_a_wrapper_comes_to_the_same_in_a_child(isolated, hook, app, local):
    in_process, mixed = pluggy.PluginManager("app"), pluggy.PluginManager("app")
    for name in ("inner", "around"):
        in_process.register(local[name])
    if isolated == "both together":
        attach(app, mixed, "first", "around", "inner")
    elif isolated == "both apart":
        attach(app, mixed, "second", "inner")
        attach(app, mixed, "first", "around")
    else:
        mixed.register(local["inner" if isolated == "wrapper" else "around"])
        attach(app, mixed, "first", "around" if isolated == "wrapper" else "inner")
    assert outcome(getattr(mixed.hook, hook)) == outcome(getattr(in_process.hook, hook))


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), StopIteration(3), KeyError("key"), OSError(2, "none")])
@pytest.mark.parametrize("hook", ["new_let_through", "old_pass_on"])
def test_the_apps_own_exception_comes_out_of_a_wrapper_as_it_was(hook, error, app, pm):
    class Raising:
        @hookimpl(specname=hook)
        def fail(self):
            raise error

    attach(app, pm, "first", "around")
    pm.register(Raising())
    with pytest.raises(type(error)) as raised:
        getattr(pm.hook, hook)()
    assert raised.value is error


@dataclass
class Unsendable:
    """A dataclass has a wire form, but not with what is in it."""

    what: object


def test_what_has_no_wire_form_passes_through_a_wrapper(app, pm):
    given = [Unsendable(print), object(), {"deep": [iter("abc")]}, ("a", "tuple"), "text"]

    class Giving:
        def __init__(self, value):
            self.value = value

        @hookimpl(specname="sort_out")
        def give(self):
            return self.value

        new_pass_on = old_pass_on = hookimpl(lambda self: self.value)

    attach(app, pm, "first", "around")
    for value in reversed(given):  # what is registered last is called first
        pm.register(Giving(value))
    for passed, order in [
        (pm.hook.new_pass_on(), range(5)),
        (pm.hook.old_pass_on(), range(5)),
        (pm.hook.sort_out(keep=[3, 0, 2]), [3, 0, 2]),
    ]:
        assert [id(value) for value in passed] == [id(given[place]) for place in order]


def test_a_wrapper_puts_an_object_of_the_apps_somewhere_else(app):
    pm = pluggy.PluginManager("app")
    thing = object()

    class Specifications:
        @hookspec(firstresult=True)
        def put_under(self, key):
            """Give one thing."""

        @hookspec
        def change_first(self, key):
            """Give things."""

    class Giving:
        @hookimpl
        def put_under(self):
            return thing

        @hookimpl
        def change_first(self):
            return {"kept": thing, "before": 1}

    pm.add_hookspecs(Specifications)
    attach(app, pm, "first", "around")
    pm.register(Giving())
    assert pm.hook.put_under(key="below") == {"below": [thing], "seen": "<object of the app>"}
    assert pm.hook.change_first(key="before") == [{"kept": thing, "before": "changed"}]


def test_a_crash_of_what_it_wraps_in_the_same_process_is_the_wrappers_end_too(app, pm):
    attach(app, pm, "first", "around")
    with pytest.raises(plughost.PluginCrashed, match="`first:end` crashed: its process ended with exit code 3"):
        pm.hook.around_end()
    assert pm.hook.process() != []


def test_a_process_that_ends_between_the_halves_is_the_wrappers_crash(app, pm):
    class Killing:
        @hookimpl
        def end_between(self):
            os.kill(pm.hook.process()[0], signal.SIGKILL)

    attach(app, pm, "first", "around")
    pm.register(Killing())
    with pytest.raises(plughost.PluginCrashed, match="`first:end_between` crashed: its process was killed by SIGKILL"):
        pm.hook.end_between()


def test_what_a_wrapper_raises_instead_remembers_what_it_was_given(app, local, pm):
    attach(app, pm, "first", "around")
    pm.register(local["inner"])
    for hook in ("new_convert", "old_convert"):
        with pytest.raises(LookupError) as raised:
            getattr(pm.hook, hook)()
        assert repr(raised.value.__context__) == "ValueError('inner')"


@pytest.mark.parametrize("hook", ["see_exit", "see_key", "see_missing", "see_undecodable"])
@pytest.mark.parametrize("apart", [True, False])
def test_a_wrapper_sees_what_another_plugin_raised_as_that_raised_it(apart, hook, app, local, pm):
    attach(app, pm, "first", *(["around"] if apart else ["around", "inner"]))
    if apart:
        attach(app, pm, "second", "inner")
    in_process = pluggy.PluginManager("app")
    in_process.register(local["inner"])
    in_process.register(local["around"])
    assert getattr(pm.hook, hook)() == getattr(in_process.hook, hook)()


def test_what_a_plugin_raised_has_the_attributes_of_its_built_in_type(app, pm):
    attach(app, pm, "first", "inner")
    with pytest.raises(FileNotFoundError) as missing:
        pm.hook.see_missing()
    assert (missing.value.errno, missing.value.strerror) == (2, "missing")
    with pytest.raises(KeyError) as key:
        pm.hook.see_key()
    assert key.value.args == ("key",)
    with pytest.raises(UnicodeDecodeError) as undecodable:
        pm.hook.see_undecodable()
    assert (undecodable.value.object, undecodable.value.start) == (b"a\xff", 1)


# Forms of implementations.

GIVEN_A = (
    *("inherited", "overridden", "on_instance", "partial", "bound", "method", "decorated", "marked_before", "twice", "_private"),
    *("above_classmethod", "below_classmethod", "above_staticmethod", "below_staticmethod"),
)
FORMS = {
    **{name: {"a": 1} for name in GIVEN_A},
    "asked_properties": {},
    "none_given": {"more": 1},
    "defaults": {"a": 1, "b": 2, "c": 3},
    "größe": {"länge": 1, "type": 4},
}


@pytest.mark.parametrize("hook", FORMS)
def test_a_hook_implementation_of_any_form_is_found_and_given_its_arguments(hook, app, local):
    in_process, isolated = pluggy.PluginManager("app"), pluggy.PluginManager("app")
    in_process.register(local["forms"])
    attach(app, isolated, "first", "forms")
    assert hasattr(isolated.hook, hook) == hasattr(in_process.hook, hook)
    if hasattr(isolated.hook, hook):
        results = [getattr(manager.hook, hook)(**FORMS[hook]) for manager in (isolated, in_process)]
        assert results[0] == results[1]
        assert results[0] != []


def test_orders_that_contradict_each_other_are_pluggys_to_settle(app, local):
    class First:
        @hookimpl(tryfirst=True)
        def both(self):
            return "first"

    class Last:
        @hookimpl(trylast=True)
        def both(self):
            return "last"

    orders = []
    for isolated in (True, False):
        pm = pluggy.PluginManager("app")
        pm.register(Last())
        attach(app, pm, "first", "forms") if isolated else pm.register(local["forms"])
        pm.register(First())
        orders.append(pm.hook.both(a=1))
    assert orders[0] == orders[1]


# Managers.


def test_a_manager_with_rules_of_its_own_is_asked(app):
    """As pytest's is: it looks at names, at each plugin before it registers it, and at the options."""

    class Manager(pluggy.PluginManager):
        def parse_hookimpl_opts(self, plugin, name):
            if not name.startswith("below_"):
                return None
            return {**super().parse_hookimpl_opts(plugin, name), "tryfirst": True}

        def register(self, plugin, name=None):
            return None if str(name).startswith("second") else super().register(plugin, name)

    pm = Manager("app")
    assert len(attach(app, pm, "first", "forms")) == 1
    assert attach(app, pm, "second", "forms") == []
    assert [name for name in vars(pm.hook) if not name.startswith("__")] == ["below_classmethod", "below_staticmethod"]
    assert pm.hook.below_staticmethod.get_hookimpls()[0].tryfirst
    assert pm.hook.below_staticmethod(a=1) == [["static", 1]]


def test_a_misfit_is_of_the_plugin_that_would_have_been_registered(app):
    class Specifications:
        @hookspec
        def method(self, b):
            """Another argument."""

    pm = pluggy.PluginManager("app")
    pm.add_hookspecs(Specifications)
    with pytest.raises(pluggy.PluginValidationError) as raised:
        attach(app, pm, "first", "forms")
    assert repr(raised.value.plugin) == "<IsolatedPlugin first:forms 1.0>"
    assert not pm.is_registered(raised.value.plugin)


def test_a_plugins_time_limit_is_found_by_any_spelling_of_its_name(app, pm):
    app.attach(pm, ["First"], timeouts={"FIRST": 1e-9})
    with pytest.raises(plughost.CallTimeout):
        pm.hook.method(a=1)


def test_tracing_shows_isolated_implementations(app, pm):
    attach(app, pm, "first", "forms")
    lines: list[str] = []
    pm.trace.root.setwriter(lines.append)
    undo = pm.enable_tracing()
    pm.hook.method(a=1)
    undo()
    assert lines == ["  method [hook]\n      a: 1\n", "  finish method --> [['method', 1]] [hook]\n"]
