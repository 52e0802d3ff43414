"""Apps that fork, end, are interrupted and are killed, with plugins attached: no process is left, and nothing hangs."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

WAIT_S = 60

SCRIPT = """
import asyncio, logging, multiprocessing, os, pluggy, plughost, sys, threading

class Specifications:
    @pluggy.HookspecMarker("busy")(firstresult=True)
    def rest_first(self, seconds): ...

logging.basicConfig(stream=sys.stdout, format="%(message)s", level="INFO")
app = plughost.Host("busy", store=sys.argv[1])
pm = pluggy.PluginManager("busy")
pm.add_hookspecs(Specifications)
app.attach(pm, ["one", "two"])
print("plugins", *pm.hook.process(), flush=True)

def in_a_copy(run):
    pid = os.fork()
    if pid == 0:
        run()
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0

def echo(n):
    return pm.hook.echo(value=n)

"""


class Script:
    """An app that attaches two plugins, says their processes, and goes on with what it is given."""

    def __init__(self, code: str, store: Path, environment: Mapping[str, str]) -> None:
        argv = [sys.executable, "-X", "dev", "-W", "error", "-c", SCRIPT + code, str(store)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(argv, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        assert self.process.stdout is not None
        _, *self.plugins = self.process.stdout.readline().split()
        assert len(self.plugins) == 2, self.process.communicate(timeout=WAIT_S)
        self._pidfds = [os.pidfd_open(int(pid)) for pid in self.plugins]

    def end(self) -> tuple[int, str, str]:
        """The exit code and what was printed, after the end of all."""
        stdout, stderr = self.process.communicate(timeout=WAIT_S)
        self.see_plugins_end()
        return self.process.returncode, stdout, stderr

    def see_plugins_end(self) -> None:
        for pidfd in self._pidfds:
            assert select.select([pidfd], [], [], WAIT_S)[0], "a plugin's process lives on"
            os.close(pidfd)
        self._pidfds.clear()


@pytest.fixture
def script(busy_store: Path, clean_environment: dict[str, str]) -> Iterator[Callable[[str], Script]]:
    started = []

    def start(code: str) -> Script:
        started.append(Script(code, busy_store, {**clean_environment, "PYTHONPATH": os.pathsep.join(sys.path)}))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.communicate()


FORKS = {
    "idle": "in_a_copy(lambda: echo(1) and app.close())\nassert echo(1) == [1, 1]",
    "busy": """
asked, go_on, answers = threading.Event(), threading.Event(), []
app.offer("further", lambda n: (asked.set(), go_on.wait(30), n)[2])
thread = threading.Thread(target=lambda: answers.append(pm.hook.ask(n=1)))
thread.start()
asked.wait(30)
in_a_copy(lambda: echo(1))
go_on.set()
thread.join()
assert answers == [[1, 1]]
""",
    "calling back": """
def further(n):
    in_a_copy(lambda: echo(1))
    return n
app.offer("further", further)
assert pm.hook.ask(n=1) == [1, 1]
""",
    "returning": """
def further(n):
    pid = os.fork()
    if pid:
        assert os.waitpid(pid, 0)[1] == 0
    return n
app.offer("further", further)
me = os.getpid()
try:
    assert pm.hook.ask(n=1) == [1, 1]
except plughost.PluginCrashed as error:
    assert os.getpid() != me
    assert "was under way when this process was forked from another" in str(error)
    assert echo(1) == [1, 1]
""",
    "streaming": """
items, others = pm.hook.count(n=1000)
assert next(items) == 0
in_a_copy(lambda: items.close())
in_a_copy(lambda: None)
assert list(items) == list(range(1, 1000))
others.close()
""",
    "pool": """
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(echo, range(6)) == [[n, n] for n in range(6)]
assert echo(1) == [1, 1]
""",
}


@pytest.mark.parametrize("code", FORKS.values(), ids=FORKS)
def test_a_fork_of_the_app_leaves_the_plugins_of_the_other_alone(code, script):
    assert script(code).end() == (0, "", "")


def test_a_copy_that_lives_on_keeps_no_plugin_alive(script):
    app = script("if os.fork() == 0: os.read(0, 1), os._exit(0)\nthreading.Event().wait()")
    app.process.kill()
    app.see_plugins_end()


ENDS = {
    "without close": (0, ""),
    "os._exit": (0, "os._exit(0)"),
    "sys.exit in a thread": (0, "thread = threading.Thread(target=sys.exit)\nthread.start()\nthread.join()"),
    "items untaken": (0, "items, others = pm.hook.count(n=1000)\nnext(items)"),
    "while a daemon thread waits": (
        0,
        """
asked = threading.Event()
app.offer("further", lambda n: asked.set() or threading.Event().wait())
threading.Thread(target=lambda: pm.hook.ask(n=1), daemon=True).start()
asked.wait(30)
""",
    ),
    "calling at exit": (3, "import atexit\natexit.register(echo, 1)\nraise SystemExit(3)"),
    "an event loop with a call": (
        0,
        """
async def main():
    loop, resting = asyncio.get_running_loop(), asyncio.Event()
    handler = logging.Handler()
    loop.slow_callback_duration = 600  # or a busy machine has debug mode tell of its own steps
    handler.emit = lambda record: loop.call_soon_threadsafe(resting.set)
    logging.getLogger("plughost.plugin").addHandler(handler)
    logging.getLogger("plughost.plugin").propagate = False
    task = asyncio.ensure_future(app.acall_hook(pm, "rest_first", seconds=600))
    await resting.wait()
asyncio.run(main())
""",
    ),
}


@pytest.mark.parametrize(("code", "ending"), ENDS.values(), ids=ENDS)
def test_an_app_ends_without_a_word_and_its_plugins_with_it(code, ending, script):
    assert script(ending).end() == (code, "", "")


@pytest.mark.parametrize(
    "call",
    [
        "pm.hook.rest(seconds=600)",
        "app.call_hook(pm, 'rest', seconds=600)",
        "asyncio.run(app.acall_hook(pm, 'rest', seconds=600))",
        "asyncio.run(app.acall_hook(pm, 'rest_first', seconds=600))",
    ],
    ids=["hook", "call_hook", "acall_hook", "in order"],
)
def test_an_interrupt_ends_a_call_and_the_app_goes_on(call, script):
    app = script(f"try:\n    {call}\nexcept KeyboardInterrupt:\n    assert echo(1) == [1, 1]\n    print('goes on')")
    assert app.process.stdout.readline() == "resting\n"
    app.process.send_signal(signal.SIGINT)
    code, stdout, stderr = app.end()
    assert (code, stdout.splitlines()[-1], stderr) == (0, "goes on", "")
