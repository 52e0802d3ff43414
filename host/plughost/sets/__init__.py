"""A declared set of plugins: locking it into `plughost.lock`, and bringing a machine to it.

Above it: the host; below it: `add`, the registry, and the file that declares the set. It builds and resolves nothing itself.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.sets._locked import LockedPlugin, SetLock, read_lock
    from plughost.sets._locking import LockedChange, LockResult, lock_set
    from plughost.sets._sync import Synced, sync

__all__ = ["LockResult", "LockedChange", "LockedPlugin", "SetLock", "Synced", "lock_set", "read_lock", "sync"]

__getattr__ = lazily(
    __name__,
    {
        "_locked": ("LockedPlugin", "SetLock", "read_lock"),
        "_locking": ("LockResult", "LockedChange", "lock_set"),
        "_sync": ("Synced", "sync"),
    },
)
