"""The main job, shown as on a terminal: a new plugin in a git repository is added, listed, shown, run and removed.

Then an app, with two plugins that need conflicting versions of a library, both of which answer one call. Ends with an error where
any step gives something else than it should. Leaves nothing behind.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from plughost._templates import render
from plughost.health import examine_machine
from plughost.paths import Store

PLUGHOST = Path(sys.executable).with_name("plughost")


class Terminal:
    """Shows each command and what it prints."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(PLUGHOST.parent), os.environ.get("PATH", os.defpath)]),
            "PLUGHOST_HOME": str(folder / "store"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }

    def __call__(self, *command: str) -> str:
        """What the command prints to stdout; the demo ends here if the command fails."""
        print("$ " + " ".join(shown(word) for word in command), flush=True)
        completed = subprocess.run(command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True, check=False)
        print(completed.stdout, end="" if completed.stdout.endswith("\n") or not completed.stdout else "\n")
        if completed.returncode:
            sys.exit(f"error: The command above exited with code {completed.returncode}")
        print(flush=True)
        return completed.stdout


def shown(word: str) -> str:
    return f"'{word}'" if set(word) & set(' "{}?;&') else word


def expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        sys.exit(f"error: {what} is {found!r}, not {wanted!r}")


def main(folder: Path) -> None:
    run = Terminal(folder)
    do_without(run)
    show_a_tool(run, folder)
    show_an_app(run, folder)


def do_without(run: Terminal) -> None:
    """In a container perhaps: what of the default policy can't be enforced here, and so would be refused."""
    machine, _ = examine_machine(Store(run.environment["PLUGHOST_HOME"]))
    if machine.unenforceable:
        names = ",".join(machine.unenforceable)
        print(f"$ export PLUGHOST_ALLOW_UNENFORCED={names}  # `plughost doctor` says why\n", flush=True)
        run.environment["PLUGHOST_ALLOW_UNENFORCED"] = names


def show_a_tool(run: Terminal, folder: Path) -> None:
    plugin = folder / "weather-names"
    render("tool", plugin, name="weather-names", description="Names for weather reports")
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    run("git", "-C", plugin.name, "init", "--quiet", "--initial-branch=main")
    run("git", "-C", plugin.name, "add", "--all")
    run("git", "-C", plugin.name, *identity, "commit", "--quiet", "--message=A plugin")
    commit = run("git", "-C", plugin.name, "rev-parse", "HEAD").strip()

    source = f"git+{plugin.as_uri()}@main"
    run("plughost", "add", source)
    run("plughost", "add", source)
    run("plughost", "list")
    if commit not in run("plughost", "info", "weather-names"):
        sys.exit(f"error: `info` does not show the commit `{commit}`")

    result = run("plughost", "run", "weather-names", "--kwargs", '{"text": "Föhn über Zürich"}')
    expect("the result", json.loads(result), "fohn-uber-zurich")
    result = run("plughost", "run", "weather-names:slug", "text=Bise noire", "separator=_")
    expect("the result", json.loads(result), "bise_noire")

    run("plughost", "remove", "weather-names")
    expect("what is installed at the end", list((folder / "store" / "venvs").iterdir()), [])


def show_an_app(run: Terminal, folder: Path) -> None:
    run("plughost", "new", "release-desk", "--template", "app")
    run.environment["PYTHONPATH"] = str(folder / "release-desk" / "src")
    app = ("python", "-m", "release_desk")
    for plugin in ("rank-strict", "rank-legacy"):
        run(*app, "plugins", "add", f"./release-desk/plugins/{plugin}")
    run(*app, "plugins", "hooks")
    answers = run(*app, "rank", "1.10", "1.9", "2.0-final-2").splitlines()
    # The last part is the library's version, of which the newer one is whatever the index has.
    expect(
        "what the plugins say",
        [answer.partition("(")[0].split(maxsplit=1) for answer in answers],
        [
            ["alphabetical", "1.10 < 1.9 < 2.0-final-2"],
            ["rank-legacy", "2.0-final-2 < 1.9 < 1.10     "],
            ["rank-strict", "2.0-final-2 is no version    "],
        ],
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="plughost-demo-") as temporary:
        main(Path(temporary))
