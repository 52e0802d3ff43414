"""What is installed: receipts, the index made from them, and the one place where they change.

Above it: the host; below it: the store's paths. It starts nothing, builds nothing and calls nothing.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.registry._garbage import collect_garbage, sweep
    from plughost.registry._index import summaries
    from plughost.registry._read import Installed, find, find_callable, installed_names, normalize_name, stamp, state_of, switch
    from plughost.registry._receipt import HistoryEntry, Receipt, load_receipt, revisions
    from plughost.registry._state import KEPT_REVISIONS, State, read_state
    from plughost.registry._summary import PluginSummary
    from plughost.registry._turn import mark, turn_to, way_back
    from plughost.registry._write import Removed, adding, place, remove, staging

__all__ = [
    "KEPT_REVISIONS",
    "HistoryEntry",
    "Installed",
    "PluginSummary",
    "Receipt",
    "Removed",
    "State",
    "adding",
    "collect_garbage",
    "find",
    "find_callable",
    "installed_names",
    "load_receipt",
    "mark",
    "normalize_name",
    "place",
    "read_state",
    "remove",
    "revisions",
    "staging",
    "stamp",
    "state_of",
    "summaries",
    "sweep",
    "switch",
    "turn_to",
    "way_back",
]

__getattr__ = lazily(
    __name__,
    {
        "_garbage": ("collect_garbage", "sweep"),
        "_index": ("summaries",),
        "_read": ("Installed", "find", "find_callable", "installed_names", "normalize_name", "stamp", "state_of", "switch"),
        "_receipt": ("HistoryEntry", "Receipt", "load_receipt", "revisions"),
        "_state": ("KEPT_REVISIONS", "State", "read_state"),
        "_summary": ("PluginSummary",),
        "_turn": ("mark", "turn_to", "way_back"),
        "_write": ("Removed", "adding", "place", "remove", "staging"),
    },
)
