from pathlib import Path

from plughost.testing import PluginKit

from ${module} import hookspecs
from ${module}.app import Alphabetical

PLUGINS = Path(__file__).parents[1] / "plugins"


def orders_plain_versions(under_test):
    (answer,) = under_test.manager.hook.rank(versions=["1.10", "1.9"])
    assert answer["order"] == ["1.9", "1.10"]


#: What this app asks of its plugins; their authors can run it, too.
kit = PluginKit(project="${module}", hookspecs=hookspecs, checks=[orders_plain_versions])


def test_the_local_plugin_knows_no_numbers():
    assert Alphabetical().rank(["1.9", "1.10"])["order"] == ["1.10", "1.9"]


def test_each_plugin_passes_the_apps_checks():
    for folder in PLUGINS.iterdir():
        assert kit.check(folder) == ["orders_plain_versions"]
