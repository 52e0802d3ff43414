"""What became of each call: written as calls end, kept in a database, read by `logs`, `stats` and `replay`.

Above it: the workers and the host; below it: the store's paths. A call that went well fills a slot of a page, which costs it
half a microsecond, and any other appends a line. Whoever reads takes both into the database. It knows nothing of plugins.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.journal._arguments import Arguments, digest
    from plughost.journal._calls import CallRecord, find_call, read_calls
    from plughost.journal._journal import MEASURED_EVERY_NS, Journal, NoJournal, Recording
    from plughost.journal._stats import PluginStats, ToolStats, read_stats
    from plughost.journal._take_in import refresh, take_in
    from plughost.journal._writer import Writer

__all__ = [
    "MEASURED_EVERY_NS",
    "Arguments",
    "CallRecord",
    "Journal",
    "NoJournal",
    "PluginStats",
    "Recording",
    "ToolStats",
    "Writer",
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
        "_journal": ("MEASURED_EVERY_NS", "Journal", "NoJournal", "Recording"),
        "_stats": ("PluginStats", "ToolStats", "read_stats"),
        "_take_in": ("refresh", "take_in"),
        "_writer": ("Writer",),
    },
)
