"""Fixtures for tests of a plugin, over the real boundary. pytest finds them where plughost is installed.

    def test_forecast(plughost_host, plugin_venv):
        assert plughost_host.call(plugin_venv.name, "forecast", city="Bern") == "sunny in Bern"

Above it: pytest; below it: `Host`, which is imported when a fixture is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plughost._info import Plugin
    from plughost.host import Host

__all__ = ["plughost_hookspecs", "plughost_host", "plughost_project", "plugin_venv", "pytest_addoption"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("plughost_project", "the pluggy project whose entry points are tested", default="plughost")
    parser.addini("plughost_source", "where the plugin under test comes from, as for `plughost add`", default=".")


@pytest.fixture(scope="session")
def plughost_project(pytestconfig: pytest.Config) -> str:
    """The project that the plugin is for: `plughost_project` in pytest's configuration."""
    return str(pytestconfig.getini("plughost_project"))


@pytest.fixture(scope="session")
def plughost_hookspecs() -> tuple[type, ...]:
    """The app's hook specifications, which the plugin has to fit. Override it where the app has any."""
    return ()


@pytest.fixture(scope="session")
def plughost_host(
    plughost_project: str, plughost_hookspecs: tuple[type, ...], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Host]:
    """A host with a store of its own, which is thrown away."""
    from plughost.host import Host

    store = tmp_path_factory.mktemp("plughost")
    with Host(plughost_project, store=store, hookspecs=plughost_hookspecs) as host:
        yield host


@pytest.fixture(scope="session")
def plugin_venv(plughost_host: Host, pytestconfig: pytest.Config) -> Plugin:
    """The plugin under test, built and installed into an environment of its own: its `name`, `tools`, `hooks`, `environment`."""
    source = str(pytestconfig.getini("plughost_source"))
    folder = pytestconfig.rootpath / source
    return plughost_host.add(str(folder) if folder.exists() else source).plugin
