"""What is installed: receipts, the index made from them, and the one place where they change.

Above it: the host; below it: the store's paths. It starts nothing, builds nothing and calls nothing.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.registry._aside import set_aside
    from plughost.registry._collect import collect_all
    from plughost.registry._garbage import collect_garbage, sweep, users_of_venvs
    from plughost.registry._index import listed, summaries
    from plughost.registry._intact import check_file, check_receipt
    from plughost.registry._known import keep_record, kept_record
    from plughost.registry._leftovers import Leftover, measured
    from plughost.registry._mend import exchange, put_state_back
    from plughost.registry._read import (
        Installed,
        find,
        find_callable,
        installed_names,
        normalize_name,
        stamp,
        state_of,
        switch,
        unknown,
        unreadable,
    )
    from plughost.registry._receipt import HistoryEntry, Receipt, load_receipt, revisions
    from plughost.registry._state import KEPT_REVISIONS, State, read_state, read_whole_state
    from plughost.registry._summary import PluginSummary
    from plughost.registry._transaction import adding
    from plughost.registry._turn import mark, turn_to, way_back
    from plughost.registry._write import Removed, place, remove, staging

__all__ = [
    "KEPT_REVISIONS",
    "HistoryEntry",
    "Installed",
    "Leftover",
    "PluginSummary",
    "Receipt",
    "Removed",
    "State",
    "adding",
    "check_file",
    "check_receipt",
    "collect_all",
    "collect_garbage",
    "exchange",
    "find",
    "find_callable",
    "installed_names",
    "keep_record",
    "kept_record",
    "listed",
    "load_receipt",
    "mark",
    "measured",
    "normalize_name",
    "place",
    "put_state_back",
    "read_state",
    "read_whole_state",
    "remove",
    "revisions",
    "set_aside",
    "staging",
    "stamp",
    "state_of",
    "summaries",
    "sweep",
    "switch",
    "turn_to",
    "unknown",
    "unreadable",
    "users_of_venvs",
    "way_back",
]

__getattr__ = lazily(
    __name__,
    {
        "_aside": ("set_aside",),
        "_collect": ("collect_all",),
        "_garbage": ("collect_garbage", "sweep", "users_of_venvs"),
        "_intact": ("check_file", "check_receipt"),
        "_index": ("listed", "summaries"),
        "_known": ("keep_record", "kept_record"),
        "_leftovers": ("Leftover", "measured"),
        "_mend": ("exchange", "put_state_back"),
        "_read": (
            "Installed",
            "find",
            "find_callable",
            "installed_names",
            "normalize_name",
            "stamp",
            "state_of",
            "switch",
            "unknown",
            "unreadable",
        ),
        "_receipt": ("HistoryEntry", "Receipt", "load_receipt", "revisions"),
        "_state": ("KEPT_REVISIONS", "State", "read_state", "read_whole_state"),
        "_summary": ("PluginSummary",),
        "_turn": ("mark", "turn_to", "way_back"),
        "_transaction": ("adding",),
        "_write": ("Removed", "place", "remove", "staging"),
    },
)
