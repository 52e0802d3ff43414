"""Hooks of an app's PluginManager, implemented in processes of their own."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import textwrap
import threading
import zipfile
from typing import TYPE_CHECKING

import pluggy
import pytest

import plughost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

hookspec = pluggy.HookspecMarker("app")
hookimpl = pluggy.HookimplMarker("app")

#: Stands at the top of each plugin: pluggy itself is not needed for its mark.
MARKER = """
def hookimpl(function=None, **options):
    def mark(function):
        function.app_impl = options
        return function
    return mark(function) if function else mark
"""


class Specifications:
    @hookspec
    def score(self, text, weight):
        """Rate a text."""

    @hookspec(firstresult=True)
    def choose(self, options):
        """Pick one."""

    @hookspec(historic=True)
    def started(self, at):
        """The app has started."""

    @hookspec
    def fail(self):
        """Raise."""

    @hookspec
    def ask(self, n):
        """Ask the app."""

    @hookspec
    def enlist(self, register):
        """Tell the app by its own function."""

    @hookspec
    def rest(self, seconds):
        """Take some time."""

    @hookspec
    def process(self):
        """Which process is it?"""


@pytest.fixture
def pm() -> pluggy.PluginManager:
    manager = pluggy.PluginManager("app")
    manager.add_hookspecs(Specifications)
    return manager


@pytest.fixture
def app(store: Path) -> Iterator[plughost.Host]:
    with plughost.Host("app", store=store) as host:
        yield host


@pytest.fixture
def wheel(tmp_path: Path) -> Callable[..., str]:
    """`wheel("name", "code")` is the path of a plugin's wheel: one module with that code."""

    def make(name: str, code: str, *, version: str = "1.0", entry_points: str = "") -> str:
        module = name.replace("-", "_")
        info = f"{module}-{version}.dist-info"
        files = {
            f"{module}.py": MARKER + textwrap.dedent(code),
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/entry_points.txt": f"[app]\n{entry_points or f'{name} = {module}'}\n",
        }
        path = tmp_path / f"{module}-{version}-py3-none-any.whl"
        record = ""
        with zipfile.ZipFile(path, "w") as archive:
            for file, text in files.items():
                archive.writestr(file, text)
                digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
                record += f"{file},sha256={digest},{len(text.encode())}\n"
            archive.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
        return str(path)

    return make


@pytest.fixture
def add(app: plughost.Host, wheel: Callable[..., str]) -> Callable[..., plughost.Added]:
    """`add("name", "code")` installs such a plugin."""

    def run(name: str, code: str, **options: str) -> plughost.Added:
        return app.add(wheel(name, code, **options))

    return run


def child_processes() -> set[int]:
    with open(f"/proc/self/task/{threading.get_native_id()}/children") as file:
        return {int(pid) for pid in file.read().split()}


def test_local_and_isolated_implementations_answer_one_call_in_pluggys_order(pm, app, add):
    add(
        "alpha",
        """
        @hookimpl
        def score(text):
            return "alpha"
        """,
    )
    add(
        "beta",
        """
        @hookimpl(tryfirst=True)
        def score(text, weight):
            return f"beta {weight}"
        """,
    )
    add(
        "gamma",
        """
        @hookimpl(specname="score", trylast=True)
        def anything(weight):
            return "gamma"
        """,
    )

    class Local:
        @hookimpl
        def score(self, text):
            return f"local {text}"

    app.attach(pm)
    pm.register(Local())
    assert pm.hook.score(text="x", weight=2) == ["beta 2", "local x", "alpha", "gamma"]


def test_attaching_starts_nothing_and_a_second_time_does_nothing(pm, app, add):
    add("alpha", "@hookimpl\ndef score(text): return 1")
    before = child_processes()
    attached = app.attach(pm)
    assert [plugin.__name__ for plugin in attached] == ["alpha"]
    assert child_processes() == before
    assert app.attach(pm) == []
    assert pm.list_name_plugin() == [("alpha", attached[0])]
    assert pm.get_canonical_name(attached[0]) == "alpha"
    pm.check_pending()


def test_the_first_result_counts_and_later_implementations_are_not_asked(pm, app, add):
    add("alpha", "@hookimpl\ndef choose(options): raise SystemExit('asked')")
    add("beta", "@hookimpl\ndef choose(options): return options[0]")
    add("gamma", "@hookimpl\ndef choose(options): return None")
    app.attach(pm)
    assert pm.hook.choose(options=[3, 4]) == 3


def test_wrappers_run_in_the_child_around_what_runs_elsewhere(pm, app, add):
    add(
        "alpha",
        """
        @hookimpl(wrapper=True)
        def score(text):
            results = yield
            return [text, *results]

        @hookimpl(wrapper=True)
        def fail():
            try:
                yield
            except ValueError as error:
                return f"mended {error}"
        """,
    )
    add(
        "beta",
        """
        @hookimpl(hookwrapper=True)
        def score(text):
            outcome = yield
            outcome.force_result(outcome.get_result() + ["beta"])
        """,
    )

    class Local:
        @hookimpl
        def score(self, text):
            return f"local {text}"

        @hookimpl
        def fail(self):
            raise ValueError("it")

    pm.register(Local())
    app.attach(pm)
    assert pm.hook.score(text="x", weight=1) == ["x", "local x", "beta"]
    assert pm.hook.fail() == "mended it"


@pytest.mark.parametrize("style", ["wrapper", "hookwrapper"])
def test_what_a_wrapper_leaves_alone_stays_the_apps_own_object(style, pm, app, add):
    add("alpha", f"@hookimpl({style}=True)\ndef choose(options):\n    outcome = yield\n    return outcome")
    given = ["a", "list"]
    error = KeyError("kept")

    class Local:
        @hookimpl
        def choose(self, options):
            if options:
                raise error
            return given

    pm.register(Local())
    app.attach(pm)
    assert pm.hook.choose(options=[]) is given
    with pytest.raises(KeyError) as raised:
        pm.hook.choose(options=[1])
    assert raised.value is error


def test_an_older_wrapper_may_replace_the_exception(pm, app, add):
    add(
        "alpha",
        """
        @hookimpl(hookwrapper=True)
        def fail():
            outcome = yield
            assert outcome.excinfo[0] is ValueError
            outcome.force_exception(LookupError(f"instead of {outcome.exception}"))
        """,
    )

    class Local:
        @hookimpl
        def fail(self):
            raise ValueError("it")

    pm.register(Local())
    app.attach(pm)
    with pytest.raises(LookupError, match="instead of it"):
        pm.hook.fail()


@pytest.mark.parametrize(
    ("body", "message"), [("yield; yield", "has second yield"), ("if False: yield", "did not yield")], ids=["twice", "never"]
)
def test_a_wrapper_that_does_not_yield_once_is_pluggys_to_refuse(body, message, pm, app, add):
    add("alpha", f"@hookimpl(wrapper=True)\ndef score(text):\n    {body}")
    app.attach(pm)
    with pytest.raises(RuntimeError, match=f"'score' <plugin alpha>:.* {message}"):
        pm.hook.score(text="x", weight=1)
    with pytest.raises(RuntimeError, match=message):
        pm.hook.score(text="x", weight=1)


def test_a_wrapper_and_what_it_wraps_of_the_same_plugin_share_a_process(pm, app, add):
    add(
        "alpha",
        """
        seen = []

        @hookimpl(wrapper=True, specname="score")
        def around(text):
            seen.append("before")
            results = yield
            return [seen, *results]

        @hookimpl
        def score(text):
            seen.append("inside")
            return len(seen)
        """,
    )
    app.attach(pm)
    assert pm.hook.score(text="x", weight=1) == [["before", "inside"], 2]


def test_what_a_plugin_raises_is_also_of_the_built_in_type_and_shows_where(pm, app, add):
    add("alpha", "@hookimpl\ndef fail():\n    raise KeyError('deep')")
    app.attach(pm)
    with pytest.raises(KeyError) as raised:
        pm.hook.fail()
    error = raised.value
    assert isinstance(error, plughost.PluginError)
    assert error.message == "`alpha:fail` raised KeyError: 'deep'"
    assert "in fail\n    raise KeyError('deep')" in str(error.__cause__)


def test_an_app_registers_exceptions_of_its_own(pm, app, add):
    class Refused(Exception):
        pass

    add("alpha", "class Refused(Exception): pass\n\n@hookimpl\ndef fail():\n    raise Refused('no')")
    app.attach(pm)
    with pytest.raises(plughost.PluginError) as raised:
        pm.hook.fail()
    assert not isinstance(raised.value, Refused)
    app.register_exception(Refused, "alpha.Refused")
    with pytest.raises(Refused, match="no"):
        pm.hook.fail()


def test_a_plugin_calls_what_the_app_offers_and_the_app_the_plugin(pm, app, add):
    add(
        "alpha",
        """
        import os

        @hookimpl
        def ask(n):
            from plughost_app import further
            return [os.getpid(), further(n - 1)] if n else []

        @hookimpl
        def enlist(register):
            return register("alpha", times=2)
        """,
    )
    app.attach(pm)
    app.offer("further", lambda n: pm.hook.ask(n=n)[0])
    (nested,) = pm.hook.ask(n=3)
    pid, (second, (third, rest)) = nested
    assert pid == second == third
    assert rest == []
    names = []

    def register(name, times):
        names.append(name * times)
        return len(names)

    app.offer("register", register)
    assert pm.hook.enlist(register=register) == [1]
    assert names == ["alphaalpha"]


def test_what_an_offered_function_raises_is_raised_in_the_plugin(pm, app, add):
    add(
        "alpha",
        """
        @hookimpl
        def ask(n):
            import plughost_app
            try:
                plughost_app.further(n)
            except ZeroDivisionError as error:
                return f"caught {error}"

        @hookimpl
        def fail():
            import plughost_app
            plughost_app.missing()
        """,
    )
    app.attach(pm)
    app.offer("further", lambda n: n / 0)
    assert pm.hook.ask(n=1) == ["caught division by zero"]
    with pytest.raises(LookupError, match="the app offers no function `missing`; it offers `further`"):
        pm.hook.fail()


def test_a_function_that_is_not_offered_has_no_wire_form(pm, app, add):
    add("alpha", "@hookimpl\ndef enlist(register): register()")
    app.attach(pm)
    with pytest.raises(plughost.UsageError) as raised:
        pm.hook.enlist(register=print)
    assert str(raised.value) == (
        "An argument of `alpha:enlist` can't be sent\n"
        "  Caused by: `args[0]` is a `builtin_function_or_method`, which has no wire form\n"
        "\n"
        "hint: Turn it into text, numbers, bytes, dates, paths, dataclasses, or lists, sets and dicts of these"
    )


def test_a_historic_hook_reaches_what_is_attached_later(pm, app, add):
    add("alpha", "@hookimpl\ndef started(at): return ['alpha', at]")
    results = []
    pm.hook.started.call_historic(kwargs={"at": 5}, result_callback=results.append)
    app.attach(pm)
    assert results == [["alpha", 5]]


def test_unregistered_and_blocked_plugins_are_not_called(pm, app, add):
    add("alpha", "@hookimpl\ndef score(text): return 'alpha'")
    add("beta", "@hookimpl\ndef score(text): return 'beta'")
    pm.set_blocked("beta")
    (alpha,) = app.attach(pm)
    assert pm.hook.score(text="", weight=0) == ["alpha"]
    without = pm.subset_hook_caller("score", remove_plugins=[alpha])
    assert without(text="", weight=0) == []
    assert pm.unregister(alpha) is alpha
    assert pm.hook.score(text="", weight=0) == []


def test_a_misfit_is_told_in_full_and_keeps_no_other_plugin_out(pm, app, add):
    add("alpha", "@hookimpl\ndef score(txt, mood): return 1\n\n@hookimpl(wrapper=True)\ndef started(at): yield")
    add("beta", "@hookimpl\ndef score(text): return 'beta'")
    with pytest.raises(plughost.ContractError) as raised:
        app.attach(pm)
    assert isinstance(raised.value, pluggy.PluginValidationError)
    assert raised.value.reference == "hook-invalid"
    assert str(raised.value) == (
        "`alpha` doesn't fit the hooks of `app`\n"
        "  Caused by: `alpha` implements `score` as `score(txt, mood)`: "
        "the specification has no argument `txt`; it has `text`, `weight`\n"
        "  Caused by: `alpha` implements `score` as `score(txt, mood)`: "
        "the specification has no argument `mood`; it has `text`, `weight`\n"
        "  Caused by: `alpha` implements `started` as `started(at)`: a historic hook takes no wrappers\n"
        "\n"
        "hint: Its author can correct it by the app's hook specifications"
    )
    assert pm.hook.score(text="", weight=0) == ["beta"]
    with pytest.warns(plughost.PluginNotAttached, match="no argument `txt`"):
        assert app.attach(pm, on_error="warn") == []
    assert app.attach(pm, on_error="skip") == []


def test_an_unknown_hook_is_pending_as_pluggy_has_it(pm, app, add):
    add("alpha", "@hookimpl\ndef scroe(text): return 1\n\n@hookimpl(optionalhook=True)\ndef extra(): return 2")
    app.attach(pm)
    with pytest.raises(pluggy.PluginValidationError, match=r"unknown hook 'scroe' in plugin <IsolatedPlugin alpha 1\.0>"):
        pm.check_pending()


def test_a_project_with_specifications_refuses_a_misfit_before_it_is_installed(store, wheel):
    with plughost.Host("app", store=store, hookspecs=Specifications) as host:
        with pytest.raises(plughost.ContractError) as raised:
            host.add(wheel("alpha", "@hookimpl\ndef scroe(text): return 1"))
        assert str(raised.value).startswith(
            "`alpha` doesn't fit the hooks of `app`\n"
            "  Caused by: `alpha` implements `scroe` as `scroe(text)`: there is no such hook; did you mean `score`?\n"
        )
        assert host.plugins() == []
        host.add(wheel("alpha", "@hookimpl\ndef score(text): return 1"))


def test_a_crash_is_that_implementations_error_and_the_next_call_has_a_new_process(pm, app, add):
    add("alpha", "import os\n\n@hookimpl\ndef process(): return os.getpid()\n\n@hookimpl\ndef fail(): os._exit(3)")
    app.attach(pm)
    (first,) = pm.hook.process()
    with pytest.raises(plughost.PluginCrashed, match="`alpha:fail` crashed: its process ended with exit code 3"):
        pm.hook.fail()
    (second,) = pm.hook.process()
    assert first != second


def test_hooks_have_time_limits_for_the_app_and_for_a_plugin(pm, app, add):
    add("alpha", "import time\n\n@hookimpl\ndef rest(seconds): time.sleep(seconds)")
    app.attach(pm, timeout_s=60, timeouts={"alpha": 1.5})
    with pytest.raises(plughost.CallTimeout, match=r"`alpha:rest` took longer than 1.5 s"):
        pm.hook.rest(seconds=50)
    assert pm.hook.rest(seconds=0) == []


def test_threads_call_side_by_side(pm, app, add):
    add(
        "alpha",
        """
        @hookimpl
        def ask(n):
            from plughost_app import meet
            meet()
            return n
        """,
    )
    app.attach(pm)
    meeting = threading.Barrier(3)
    app.offer("meet", lambda: meeting.wait(30) and None)
    results = []
    threads = [threading.Thread(target=lambda n=n: results.append(pm.hook.ask(n=n))) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [[0], [1], [2]]


MEETING = """
import os, time

@hookimpl
def rest(seconds):
    open(os.path.join(seconds, "{name}"), "w").close()
    deadline = time.monotonic() + 30
    while len(os.listdir(seconds)) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    return "{name}", len(os.listdir(seconds))
"""


@pytest.mark.parametrize("is_async", [False, True], ids=["blocking", "async"])
def test_the_implementations_of_one_call_run_at_the_same_time(is_async, pm, app, add, tmp_path):
    """Each waits for the other."""
    add("alpha", MEETING.format(name="alpha"))
    add("beta", MEETING.format(name="beta"))

    class Local:
        @hookimpl
        def rest(self, seconds):
            return [seconds, threading.get_ident()]

    app.attach(pm)
    pm.register(Local())
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    if is_async:
        result = asyncio.run(app.acall_hook(pm, "rest", seconds=str(meeting)))
    else:
        result = app.call_hook(pm, "rest", seconds=str(meeting))
    assert result == [[str(meeting), threading.get_ident()], ["beta", 2], ["alpha", 2]]


def test_a_cancelled_call_leaves_no_process_behind(pm, app, add):
    add("alpha", "import time\n\n@hookimpl\ndef rest(seconds): time.sleep(seconds)")
    app.attach(pm)

    async def run() -> None:
        async with asyncio.timeout(0.5):
            await app.acall_hook(pm, "rest", seconds=60)

    before = child_processes()
    with pytest.raises(TimeoutError):
        asyncio.run(run())
    assert child_processes() == before


def test_an_error_does_not_keep_other_plugins_workers(pm, app, add):
    add("alpha", "@hookimpl\ndef score(text): return text")
    add("beta", "@hookimpl\ndef score(text): raise OSError('beta')")
    app.attach(pm)
    with pytest.raises(OSError, match="beta"):
        app.call_hook(pm, "score", text="x", weight=1)
    pm.unregister(name="beta")
    assert app.call_hook(pm, "score", text="x", weight=1) == ["x"]


def test_an_unknown_hook_is_an_error_that_names_it(pm, app):
    with pytest.raises(plughost.UnknownError) as raised:
        app.call_hook(pm, "scroe")
    assert raised.value.reference == "hook-unknown"
    assert str(raised.value) == "`app` has no hook `scroe`\n\nhint: Did you mean `score`?"


def test_methods_of_classes_and_objects_keep_their_state(pm, app, add):
    add(
        "alpha",
        """
        class Scorer:
            def __init__(self, start=10):
                self.count = start

            @hookimpl
            def score(self, text):
                self.count += 1
                return self.count

        scorer = Scorer(20)
        """,
        entry_points="made = alpha:Scorer\nready = alpha:scorer",
    )
    names = [plugin.__name__ for plugin in app.attach(pm)]
    assert sorted(names) == ["alpha:made", "alpha:ready"]
    pm.hook.score(text="", weight=0)
    assert sorted(pm.hook.score(text="", weight=0)) == [12, 22]


def test_generators_and_coroutines_give_their_items_and_values(pm, app, add):
    add(
        "alpha",
        """
        @hookimpl
        def score(text):
            yield from text

        @hookimpl
        async def ask(n):
            return n + 1
        """,
    )
    app.attach(pm)
    (items,) = pm.hook.score(text="abc", weight=1)
    assert next(items) == "a"
    assert pm.hook.ask(n=1) == [2]
    assert list(items) == ["b", "c"]


def test_a_plugin_that_is_updated_is_called_in_its_new_version(pm, app, add):
    add("alpha", "@hookimpl\ndef score(text): return 1")
    app.attach(pm)
    assert pm.hook.score(text="", weight=0) == [1]
    add("alpha", "@hookimpl\ndef score(text): return 2", version="2.0")
    assert pm.hook.score(text="", weight=0) == [2]
    add("alpha", "@hookimpl\ndef score(weight): return 3", version="3.0")
    with pytest.raises(plughost.ContractError) as raised:
        pm.hook.score(text="", weight=0)
    assert raised.value.reference == "hook-changed"
    assert str(raised.value) == (
        "`alpha` no longer implements `score` as it did when it was attached\n"
        "  Caused by: It was `score(text)`\n"
        "\n"
        "hint: Unregister it and attach it again"
    )


def test_several_versions_serve_one_hook_call(pm, app, add):
    for version in ("1.0", "2.0", "3.0"):
        add("alpha", f"@hookimpl\ndef score(text): return '{version}'", version=version)
    first = app.attach(pm, versions={"alpha": "1.0"})
    more = app.attach(pm, ["alpha@2.0"])
    assert [plugin.__name__ for plugin in (*first, *more)] == ["alpha", "alpha@2.0"]
    assert pm.hook.score(text="", weight=0) == ["2.0", "1.0"]
    add("alpha", "@hookimpl\ndef score(text): return '4.0'", version="4.0")
    assert pm.hook.score(text="", weight=0) == ["2.0", "1.0"]
    with pytest.raises(plughost.UnknownError, match="`alpha` is not installed in the version `9`"):
        app.attach(pm, ["alpha@9"])
    with pytest.raises(plughost.UnknownError, match="No plugin named `alhpa` is installed"):
        app.attach(pm, versions={"alhpa": "1.0"})


def test_hook_calls_go_on_without_a_disabled_plugin(pm, app, add):
    code = """
    @hookimpl(wrapper=True)
    def score(text):
        return [*(yield), "wrapped"]
    """
    add("wrap", code)
    add("alpha", "@hookimpl\ndef score(text): return 'alpha'\n@hookimpl\ndef ask(n):\n    yield n")
    add("beta", "@hookimpl\ndef score(text): return 'beta'")
    app.attach(pm)
    assert pm.hook.score(text="", weight=0) == ["beta", "alpha", "wrapped"]
    for name in ("alpha", "wrap"):
        app.disable(name)
    assert pm.hook.score(text="", weight=0) == ["beta"]
    assert app.call_hook(pm, "score", text="", weight=0) == ["beta"]
    assert pm.hook.ask(n=1) == []
    app.enable("alpha")
    assert pm.hook.score(text="", weight=0) == ["beta", "alpha"]


def test_a_disabled_plugin_is_attached_only_by_name_and_then_refused(pm, app, add):
    add("alpha", "@hookimpl\ndef score(text): return 1")
    app.disable("alpha")
    assert app.attach(pm) == []
    with pytest.raises(plughost.PluginDisabled):
        app.attach(pm, ["alpha"])


def test_a_removed_plugin_is_not_called(pm, app, add):
    add("alpha", "@hookimpl\ndef score(text): return 1")
    app.attach(pm)
    app.remove("alpha")
    with pytest.raises(plughost.UnknownError, match="No plugin named `alpha`"):
        pm.hook.score(text="", weight=0)


def test_monitoring_sees_isolated_implementations(pm, app, add):
    add("alpha", "@hookimpl\ndef score(text): return 1")
    app.attach(pm)
    seen = []
    undo = pm.add_hookcall_monitoring(
        lambda name, impls, _kwargs: seen.append((name, [impl.plugin_name for impl in impls])),
        lambda outcome, *_: seen.append(outcome.get_result()),
    )
    app.call_hook(pm, "score", text="", weight=0)
    undo()
    assert seen == [("score", ["alpha"]), [1]]


def test_a_fork_of_the_app_has_workers_of_its_own(pm, app, add):
    add("alpha", "import os\n\n@hookimpl\ndef process(): return os.getpid()")
    app.attach(pm)
    (ours,) = pm.hook.process()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writing, str(pm.hook.process()[0]).encode())
        app.close()
        os._exit(0)
    os.close(writing)
    theirs = int(os.read(reading, 100))
    os.close(reading)
    assert os.waitpid(pid, 0)[1] == 0
    assert theirs != ours
    assert pm.hook.process() == [ours]


def test_what_a_hook_prints_goes_to_the_log(pm, app, add, caplog):
    add("alpha", "@hookimpl\ndef score(text): print('one', text); print('two')")
    app.attach(pm)
    with caplog.at_level("INFO", logger="plughost.plugin"):
        pm.hook.score(text="x", weight=1)
    assert caplog.record_tuples == [("plughost.plugin.alpha", 20, "one x"), ("plughost.plugin.alpha", 20, "two")]


def test_a_manager_of_another_project_is_refused(app):
    with pytest.raises(plughost.UsageError) as raised:
        app.attach(pluggy.PluginManager("other"))
    assert str(raised.value) == (
        'The PluginManager is of the project `other`, and the host of `app`\n\nhint: Make the host with its name: `Host("other")`'
    )
