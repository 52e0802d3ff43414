"""What is installed: receipts, the index made from them, and the one place where they change.

Above it: the host; below it: the store's paths. It starts nothing, builds nothing and calls nothing.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.registry._garbage import collect_garbage, sweep
    from plughost.registry._index import PluginSummary, summaries
    from plughost.registry._read import Installed, find, installed_names, normalize_name, stamp, switch
    from plughost.registry._receipt import HistoryEntry, Receipt, load_receipt
    from plughost.registry._write import Removed, adding, place, remove, staging

__all__ = [
    "HistoryEntry",
    "Installed",
    "PluginSummary",
    "Receipt",
    "Removed",
    "adding",
    "collect_garbage",
    "find",
    "installed_names",
    "load_receipt",
    "normalize_name",
    "place",
    "remove",
    "staging",
    "stamp",
    "summaries",
    "sweep",
    "switch",
]

__getattr__ = lazily(
    __name__,
    {
        "_garbage": ("collect_garbage", "sweep"),
        "_index": ("PluginSummary", "summaries"),
        "_read": ("Installed", "find", "installed_names", "normalize_name", "stamp", "switch"),
        "_receipt": ("HistoryEntry", "Receipt", "load_receipt"),
        "_write": ("Removed", "adding", "place", "remove", "staging"),
    },
)
