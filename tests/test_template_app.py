"""The template of an app: two plugins that no environment can hold together answer one call, beside a local one."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from plughost._templates import render

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def release_desk(tmp_path: Path, store: Path, clean_environment: dict[str, str]) -> Callable[..., str]:
    """`release_desk("rank", "1.0")` is what the app's command prints."""
    folder = tmp_path / "release-desk"
    render("app", folder, name="release-desk", description="Version numbers in order")
    path = ":".join(filter(None, (str(folder / "src"), clean_environment.get("PYTHONPATH"))))

    def run(*arguments: str) -> str:
        completed = subprocess.run(
            [sys.executable, "-m", "release_desk", *arguments],
            env={**clean_environment, "PYTHONPATH": path, "PLUGHOST_HOME": str(store)},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert completed.returncode == 0, completed.stderr
        return completed.stdout

    return run


def test_plugins_that_conflict_answer_one_call_together(release_desk):
    for plugin in ("rank-strict", "rank-legacy"):
        release_desk("plugins", "add", f"./plugins/{plugin}")
    (hook,) = json.loads(release_desk("plugins", "hooks", "--json"))
    assert [each["plugin"] for each in hook["implementations"]] == ["rank-strict", "rank-legacy"]
    lines = [line.split(maxsplit=1) for line in release_desk("rank", "1.10", "1.9", "2.0-final-2").splitlines()]
    answers = {by: text.rpartition("(")[0].strip() or text for by, text in lines}
    assert answers == {
        "alphabetical": "1.10 < 1.9 < 2.0-final-2",
        "rank-legacy": "2.0-final-2 < 1.9 < 1.10",
        "rank-strict": "2.0-final-2 is no version",
    }
    libraries = {by: text.rpartition("(")[2].rstrip(")") for by, text in lines if "packaging" in text}
    assert libraries["rank-legacy"] == "packaging 21.3"
    assert libraries["rank-strict"] > "packaging 24"
