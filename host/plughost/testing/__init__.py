"""For authors of plugins and of the apps that have them: an app's checks over the real boundary, and a plugin without one.

Above it: the tests of other projects; below it: `Host`. `pytest_plugin.py` has the fixtures.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.testing._direct import Direct
    from plughost.testing._kit import PluginKit, PluginUnderTest

__all__ = ["Direct", "PluginKit", "PluginUnderTest"]

__getattr__ = lazily(__name__, {"_direct": ("Direct",), "_kit": ("PluginKit", "PluginUnderTest")})
