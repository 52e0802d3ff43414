"""`info`: what it shows the second time, when it is kept, is what it showed the first; and nothing that is no longer so."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def installed(plughost_command, store, git_repository):
    """The store with `echo` in two versions; the folder of the one in force."""
    plughost_command("add", git_repository("echo"))
    plughost_command("add", git_repository("echo", version="2.0"))
    plugin = Path(store) / "plugins" / "plughost" / "echo"
    return plugin / (plugin / "current").read_text().split()[0]


@pytest.mark.usefixtures("installed")
def test_the_second_page_is_the_first_and_follows_every_change(plughost_command, store):
    kept = store / "index" / "plughost" / "echo.json"
    for argv in (["info", "echo"], ["info", "echo", "--json"]):
        kept.unlink(missing_ok=True)
        first = plughost_command(*argv)
        assert kept.exists()
        second = plughost_command(*argv)
        assert (first.returncode, second.stdout) == (0, first.stdout)
    record = plughost_command("info", "echo", "--json").json()
    assert [version["version"] for version in record["kept"]] == ["2.0", "1.0"]
    assert plughost_command("info", "echo@1.0", "--json").json()["version"] == "1.0"
    assert plughost_command("info", "echo", "--json").json() == record
    plughost_command("pin", "echo")
    plughost_command("disable", "echo")
    assert "state         disabled, pinned\n" in plughost_command("info", "echo").stdout
    plughost_command("rollback", "echo")
    assert plughost_command("info", "echo").stdout.splitlines()[0] == "echo 1.0"
    plughost_command("remove", "echo")
    assert not kept.exists()
    assert plughost_command("info", "echo").returncode == 3


def test_a_kept_page_hides_no_damage_and_may_be_damaged_itself(plughost_command, store, installed):
    whole = plughost_command("info", "echo").stdout
    for content in ("", "{}", '{"format":1,"files":"","record":{}}'):
        (store / "index" / "plughost" / "echo.json").write_text(content)
        assert plughost_command("info", "echo").stdout == whole
    for name in ("receipt.toml", "manifest.json", "pylock.toml"):
        before = (installed / name).read_bytes()
        (installed / name).write_text("damaged")
        completed = plughost_command("info", "echo", "--json")
        assert (completed.returncode, completed.json()["error"]["reference"]) == (6, "store-corrupt")
        (installed / name).write_bytes(before)


def test_what_a_host_gives_can_be_looked_at_where_python_prints_it(shared_host):
    root = shared_host.store.root
    echo = next(plugin for plugin in shared_host.plugins() if plugin.name == "echo")
    assert repr(shared_host) == f"Host('plughost', store={root!r})"
    assert repr(echo) == f"PluginSummary(name='echo', version='1.0', source={echo.source!r})"
    assert repr(shared_host.search("echo").shown[0]) == f"Match(name='echo', source={echo.source!r}, installed='1.0')"
    assert repr(shared_host.invoke("echo", "add", args=[1])) == "Outcome(plugin='echo', tool='add', result=3)"
    updated = shared_host.check_update("echo")  # other tests commit to its repository
    assert repr(updated).startswith(f"Updated(name='echo', status={updated.status!r}, version='1.0'")
    call = shared_host.submit("echo", "add", 1)
    assert (call.result(), repr(call)) == (3, "<Call echo:add, over>")
