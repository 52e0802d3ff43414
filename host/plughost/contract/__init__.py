"""What a plugin promises by its manifest, held against an earlier one, or against a host app's hook specifications.

Above it: what installs plugins and what attaches them; below it: pluggy. It starts nothing and imports nothing of a plugin.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.contract._changes import Change, changes
    from plughost.contract._declared import DECLARED_KEYS, declared_in, misfit
    from plughost.contract._implementation import HookImplementation, read_hooks
    from plughost.contract._verdict import Fault, find_faults, manager_with

__all__ = [
    "DECLARED_KEYS",
    "Change",
    "Fault",
    "HookImplementation",
    "changes",
    "declared_in",
    "find_faults",
    "manager_with",
    "misfit",
    "read_hooks",
]

__getattr__ = lazily(
    __name__,
    {
        "_changes": ("Change", "changes"),
        "_declared": ("DECLARED_KEYS", "declared_in", "misfit"),
        "_implementation": ("HookImplementation", "read_hooks"),
        "_verdict": ("Fault", "find_faults", "manager_with"),
    },
)
