"""A fresh process for each call: what a plugin declares, what an app says, and that nothing passes from call to call."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import plughost

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def project(folder: Path, table: str) -> Path:
    """A project in `folder` whose `pyproject.toml` ends with `table`."""
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["uv_build>=0.9,<1"]\nbuild-backend = "uv_build"\n'
        '[project]\nname = "small"\nversion = "1.0"\n[project.entry-points.plughost]\nsmall = "small:small"\n'
        '[tool.uv.build-backend]\nmodule-name = "small"\nmodule-root = ""\n' + table
    )
    (folder / "small").mkdir()
    (folder / "small" / "__init__.py").write_text("def small(): return 1\n")
    return folder


def test_what_a_plugin_declares_is_in_its_manifest_and_is_shown(
    git_repository: Callable[..., str], store: Path, plughost_command: Callable[..., object]
) -> None:
    source = git_repository("isolated")
    with plughost.Host(store=store) as host:
        for again in (False, True):  # the second time from the wheel that is kept of the commit
            if again:
                host.remove("isolated")
            host.add(source)
            manifest = host.manifest("isolated")
            assert (manifest["isolation"], manifest["concurrency"]) == ("call", 8)
    assert plughost_command("info", "isolated", "--json").json()["isolation"] == "call"
    page = plughost_command("info", "isolated").stdout
    assert "a fresh process for each call" in page
    assert "8 calls at once in one process" in page


@pytest.mark.parametrize(
    ("table", "named", "allowed"),
    [
        ('isolation = "process"', "`pyproject.toml: tool.plughost.isolation` can't be `process`", '`"call"`'),
        ("concurrency = 0", "`pyproject.toml: tool.plughost.concurrency` can't be `0`", "a whole number from 1 to 1024"),
        ("concurrency = 2026-01-01", '`pyproject.toml: tool.plughost.concurrency` can\'t be `"2026-01-01"`', "from 1 to 1024"),
    ],
)
def test_a_declaration_that_can_not_be_is_one_error(
    table: str, named: str, allowed: str, host: plughost.Host, tmp_path: Path
) -> None:
    (tmp_path / "small").mkdir()
    with pytest.raises(plughost.SourceError) as caught:
        host.add(str(project(tmp_path / "small", f"[tool.plughost]\n{table}\n")))
    assert caught.value.message == named
    assert allowed in caught.value.causes[0]


def test_what_a_plugin_declares_is_no_setting_of_who_works_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from plughost.settings import load

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    table = (
        '[tool.plughost]\nisolation = "call"\nconcurrency = 4\ninstaller = "pip"\n[tool.plughost.permissions]\nnetwork = true\n'
    )
    (tmp_path / "small").mkdir()
    assert load(str(project(tmp_path / "small", table))).installer == "pip"


def test_a_wish_of_the_app_that_can_not_be_is_refused_at_once() -> None:
    with pytest.raises(plughost.UsageError, match=r"`isolation\['weather'\]` can't be `'always'`"):
        plughost.Host(isolation={"weather": "always"})
    with pytest.raises(plughost.UsageError, match=r"`concurrency` can't be `0`"):
        plughost.Host(concurrency=0)


def test_a_bundle_carries_what_the_plugin_declares(
    host: plughost.Host, git_repository: Callable[..., str], tmp_path: Path
) -> None:
    host.add(git_repository("isolated"))
    bundle = host.export("isolated", tmp_path / "isolated.plughost")
    host.remove("isolated")
    host.add(str(bundle.path))
    assert host.manifest("isolated")["isolation"] == "call"
    assert json.dumps(host.info("isolated").record())
