"""What a plugin promises: its hook implementations as the manifest has them, held against a host app's specifications.

Above it: what installs plugins and what attaches them; below it: pluggy. It starts nothing and imports nothing of a plugin.
"""

from plughost.contract._changes import Change, changes
from plughost.contract._implementation import HookImplementation, read_hooks
from plughost.contract._verdict import Fault, find_faults, manager_with

__all__ = ["Change", "Fault", "HookImplementation", "changes", "find_faults", "manager_with", "read_hooks"]
