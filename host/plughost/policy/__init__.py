"""What a plugin may use: the record, its presets, how several are made one, and how people write and read them.

Above it: what grants and narrows policies, and what enforces them; below it: the errors. What a start needs is imported alone.
"""

from plughost._lazy import lazily
from plughost.policy._fields import KEYS, PRESET, is_within, shows_processes
from plughost.policy._policy import DEFAULT, PRESETS, STRICT, TRUSTED, Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.policy._hosts import allows, split_pattern
    from plughost.policy._narrow import deciders, effective, exceeding, narrowest, widened, widest
    from plughost.policy._read import field_value
    from plughost.policy._said import parse, read_term, table_of, terms_of
    from plughost.policy._show import shown_value, written

__all__ = [
    "DEFAULT",
    "KEYS",
    "PRESET",
    "PRESETS",
    "STRICT",
    "TRUSTED",
    "Policy",
    "allows",
    "deciders",
    "effective",
    "exceeding",
    "field_value",
    "is_within",
    "narrowest",
    "parse",
    "read_term",
    "shown_value",
    "shows_processes",
    "split_pattern",
    "table_of",
    "terms_of",
    "widened",
    "widest",
    "written",
]

__getattr__ = lazily(
    __name__,
    {
        "_hosts": ("allows", "split_pattern"),
        "_narrow": ("deciders", "effective", "exceeding", "narrowest", "widened", "widest"),
        "_read": ("field_value",),
        "_said": ("parse", "read_term", "table_of", "terms_of"),
        "_show": ("shown_value", "written"),
    },
)
