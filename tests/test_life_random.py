"""Random lives of plugins, by four processes at once, with kills among them, against a model of what must be there.

Each process has a plugin of its own, so that the model knows its state exactly; all of them share the store, its caches and its
clearing up. `PLUGHOST_LIFE_OPERATIONS` is how many operations there are in all, `PLUGHOST_LIFE_SEED` which ones.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import plughost
from plughost import registry
from plughost.paths import Store
from plughost.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

OPERATIONS = int(os.environ.get("PLUGHOST_LIFE_OPERATIONS", "80"))
SEED = int(os.environ.get("PLUGHOST_LIFE_SEED", "20261121"))
PROCESSES = 4
KEPT = 5

#: Does what each line of its standard input says, and answers each with a line.
DOER = """
import json, sys, warnings
import plughost
from plughost.settings import Settings
host = plughost.Host(store=sys.argv[1], settings=Settings())
for line in sys.stdin:
    verb, args, kwargs = json.loads(line)
    try:
        result = getattr(host, verb)(*args, **kwargs)
        answer = {"result": result if isinstance(result, (str, bool)) else None}
    except plughost.PlughostError as error:
        answer = {"error": error.reference, "text": str(error)}
    print(json.dumps(answer), flush=True)
"""

#: A revision in the model: the reference that was asked for, and the commit.
Revision = tuple[str, str]


@dataclass(frozen=True)
class Model:
    """What must be there of one plugin; `current` is None where it isn't installed."""

    current: Revision | None = None
    before: tuple[Revision, ...] = ()
    after: tuple[Revision, ...] = ()
    disabled: bool = False
    pinned: bool = False

    def installed(self, wanted: Revision) -> Model:
        if self.current is None:
            return Model(current=wanted)
        if wanted in (self.current, *self.before, *self.after):
            return self.turned(wanted)
        before = (self.current, *self.before)[: KEPT - 1]
        return replace(self, current=wanted, before=before, after=self.after[: KEPT - 1 - len(before)])

    def turned(self, wanted: Revision) -> Model:
        if wanted == self.current:
            return self
        if wanted in self.before:
            place = self.before.index(wanted)
            undone = (self.current, *self.before[:place])  # what was in force last comes first
            return replace(self, current=wanted, before=self.before[place + 1 :], after=(*undone, *self.after))
        return replace(
            self,
            current=wanted,
            before=(self.current, *self.before),
            after=tuple(other for other in self.after if other != wanted),
        )


@dataclass
class Life:
    """One plugin's life: its repository, its model, and the process that acts on it."""

    number: int
    repository: Path
    store: Path
    commit: Callable[[Path], str]
    random: random.Random
    model: Model = field(default_factory=Model)
    commits: list[str] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None
    kills: int = 0
    told: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"life-{self.number}"

    def publish(self) -> None:
        """A further commit on `main`, with a tag of its own."""
        version = len(self.commits) + 1
        module = self.repository / f"life_{self.number}"
        module.mkdir(parents=True, exist_ok=True)
        (module / "__init__.py").write_text(f"def answer():\n    return {version}\n")
        (self.repository / "pyproject.toml").write_text(
            '[build-system]\nrequires = ["uv_build>=0.9,<1"]\nbuild-backend = "uv_build"\n\n'
            f'[project]\nname = "{self.name}"\nversion = "{version}.0"\n\n'
            f'[project.entry-points.plughost]\nanswer = "life_{self.number}:answer"\n\n'
            f'[tool.uv.build-backend]\nmodule-name = "life_{self.number}"\nmodule-root = ""\n'
        )
        self.commits.append(self.commit(self.repository))
        subprocess.run(["git", "-C", self.repository, "tag", f"v{version}"], check=True)

    def step(self) -> None:
        """One operation, which may be killed; then what is there is what the model says."""
        verb, args, kwargs, outcome = self._choose()
        killed = self._do(verb, args, kwargs, kill=self.random.random() < 0.2)
        found = look(self.store, self.name)
        allowed = [outcome, self.model] if killed else [outcome]
        assert found in allowed, f"seed {SEED}: {self.told[-3:]} left {found}, and not one of {allowed}"
        self.model = found

    def _choose(self) -> tuple[str, list[object], dict[str, object], Model]:
        """What to do, and what must be there afterwards."""
        model, name = self.model, self.name
        if model.current is None or self.random.random() < 0.2:
            ref = self.random.choice(["main", *(f"v{number + 1}" for number in range(len(self.commits)))])
            commit = self.commits[-1] if ref == "main" else self.commits[int(ref[1:]) - 1]
            return "add", [f"git+{self.repository.as_uri()}@{ref}"], {}, model.installed((ref, commit))
        if self.random.random() < 0.3 and len(self.commits) < 9:
            self.publish()
        ref = model.current[0]
        newest = (ref, self.commits[-1]) if ref == "main" else model.current
        choices: list[tuple[str, list[object], dict[str, object], Model]] = [
            ("update", [name], {}, model if model.pinned else model.installed(newest)),
            ("update", [name], {}, model if model.pinned else model.installed(newest)),
            ("rollback", [name], {}, model.turned(model.before[0]) if model.before else model),
            ("disable", [name], {}, replace(model, disabled=True)),
            ("enable", [name], {}, replace(model, disabled=False)),
            ("pin", [name], {}, replace(model, pinned=True)),
            ("unpin", [name], {}, replace(model, pinned=False)),
            ("repair", [name], {}, model),
            ("collect_garbage", [], {}, model),
            ("call", [name, "answer"], {}, model),
            ("remove", [name], {}, Model()),
        ]
        return self.random.choice(choices)

    def _do(self, verb: str, args: list[object], kwargs: dict[str, object], *, kill: bool) -> bool:
        """Whether it was killed before it had answered."""
        self.told.append(f"{verb} {args}{' killed' if kill else ''}")
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, "-c", DOER, str(self.store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps([verb, args, kwargs]) + "\n")
        self.process.stdin.flush()
        timer = threading.Timer(self.random.random() * 0.6, self.process.send_signal, [signal.SIGKILL]) if kill else None
        if timer:
            timer.start()
        line = self.process.stdout.readline()
        if timer:
            timer.cancel()
            timer.join()
            self.end()
            self.kills += 1
        if line:
            self._check(verb, json.loads(line))
        return not line

    def _check(self, verb: str, answer: dict[str, object]) -> None:
        error = answer.get("error")
        if verb == "call" and self.model.disabled:
            assert error == "plugin-disabled", answer
        elif verb == "rollback" and not self.model.before:
            assert error == "version-unknown", answer
        else:
            assert error is None, f"seed {SEED}: {self.told[-3:]}: {answer.get('text')}"

    def end(self) -> None:
        if self.process:
            self.process.kill()
            self.process.communicate()
            self.process = None


def look(store: Path, name: str) -> Model:
    """What is there, by the files alone."""
    paths = Store(store)
    state = registry.state_of(paths, name)
    if state is None:
        return Model()

    def of(revision: str) -> Revision:
        receipt = registry.load_receipt(Path(paths.plugin(name), revision, "receipt.toml"))
        info = receipt.direct_url["vcs_info"]
        assert isinstance(info, dict)
        return str(info["requested_revision"]), receipt.commit_id

    return Model(
        current=of(state.revision),
        before=tuple(map(of, state.before)),
        after=tuple(map(of, state.after)),
        disabled=state.disabled,
        pinned=state.pinned,
    )


def test_whatever_is_done_and_killed_what_must_be_there_is_there_and_nothing_else(
    tmp_path: Path, store: Path, commit: Callable[[Path], str]
) -> None:
    signal.alarm(max(240, 3 * OPERATIONS))  # the limit of each test is for the usual number
    lives = [
        Life(number=n, repository=tmp_path / f"repository-{n}", store=store, commit=commit, random=random.Random(SEED + n))
        for n in range(PROCESSES)
    ]
    failures: list[BaseException] = []

    def live(life: Life) -> None:
        try:
            for _ in range(3):
                life.publish()
            for _ in range(OPERATIONS // PROCESSES):
                if failures:
                    return
                life.step()
        except BaseException as error:  # noqa: BLE001 - told in the test's own thread
            failures.append(error)
        finally:
            life.end()

    threads = [threading.Thread(target=live, args=[life]) for life in lives]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    assert sum(life.kills for life in lives) > 0
    with plughost.Host(store=store, settings=Settings()) as host:
        for life in lives:
            _call_each(host, life)
    _expect_nothing_left(store, lives)


def _call_each(host: plughost.Host, life: Life) -> None:
    """Every version that must be there answers."""
    model = life.model
    if model.current is None:
        return
    host.enable(life.name)
    for _, commit in (model.current, *model.before, *model.after):
        assert host.call(f"{life.name}@{commit}", "answer") == life.commits.index(commit) + 1


def _expect_nothing_left(store: Path, lives: list[Life]) -> None:
    deadline = time.monotonic() + 60
    while not registry.collect_garbage(Store(store)) and time.monotonic() < deadline:
        pass  # an installer of a killed process may hold a lock for a moment
    paths = Store(store)
    assert not any(Path(paths.tmp).iterdir())
    assert not any(Path(paths.trash).iterdir())
    used = set()
    for life in lives:
        state = registry.state_of(paths, life.name)
        folder = Path(paths.plugin(life.name))
        assert folder.exists() == (state is not None)
        if state is None:
            continue
        assert sorted(path.name for path in folder.iterdir()) == sorted(["current", *state.revisions])
        for revision in state.revisions:
            used.add(registry.load_receipt(folder / revision / "receipt.toml").venv)
    assert {path.name for path in Path(paths.venvs).iterdir()} == used
