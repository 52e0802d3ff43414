"""What became of each call: written as calls end, kept in a database, read by `logs`, `stats` and `replay`.

Above it: the workers and the host; below it: the store's paths. A call appends a line to the spool, which costs it some
microseconds and imports nothing; whoever reads takes the lines of the spool into the database. It knows nothing of plugins.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.journal._arguments import Arguments, digest
    from plughost.journal._calls import CallRecord, find_call, read_calls
    from plughost.journal._journal import Journal, NoJournal, Recording
    from plughost.journal._stats import PluginStats, ToolStats, read_stats
    from plughost.journal._take_in import refresh, take_in

__all__ = [
    "Arguments",
    "CallRecord",
    "Journal",
    "NoJournal",
    "PluginStats",
    "Recording",
    "ToolStats",
    "digest",
    "find_call",
    "read_calls",
    "read_stats",
    "refresh",
    "take_in",
]

__getattr__ = lazily(
    __name__,
    {
        "_arguments": ("Arguments", "digest"),
        "_calls": ("CallRecord", "find_call", "read_calls"),
        "_journal": ("Journal", "NoJournal", "Recording"),
        "_stats": ("PluginStats", "ToolStats", "read_stats"),
        "_take_in": ("refresh", "take_in"),
    },
)
