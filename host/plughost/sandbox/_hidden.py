"""Files that a plugin didn't find, or couldn't write, because its policy keeps them from it: what would allow them.

Above it: the guard, and the command line; below it: the policies. The plugin itself hears what the kernel says, to it there is no
such file. Whoever has called it is told that there is one.
"""

from __future__ import annotations

import errno
import os

from plughost.policy import is_within
from plughost.sandbox._tree import SYSTEM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.errors import PluginError
    from plughost.policy import Policy
    from plughost.sandbox._confinement import Confinement

__all__ = ["explain_file", "may_read"]

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR)
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
#: What is the kernel's, and no file of anybody's.
_NOBODYS = ("/proc", "/sys", "/dev")
#: As PATH is for every plugin.
_PROGRAMS = "/usr/local/bin:/usr/bin:/bin"
_TEMPORARY = "/tmp"  # noqa: S108 - each process has one of its own


def explain_file(error: PluginError, plugin: str, confinement: Confinement) -> None:
    """Give the error a hint, if it is about such a file. A relative name may be meant for a file of this process's folder."""
    hint = _how_to_allow(error, plugin, confinement)
    if hint:
        error.hint, error.was_denied = hint, True


def _how_to_allow(error: PluginError, plugin: str, confinement: Confinement) -> str:
    name: object = getattr(error, "filename", None)
    number: object = getattr(error, "errno", None)
    if not isinstance(name, str) or not name or "\n" in name or confinement.remedy is None:
        return ""
    path = os.path.abspath(name)
    if any(is_within(folder, path) for folder in (*_NOBODYS, confinement.work)):
        return ""
    if number in (*_NOT_THERE, errno.EACCES) and (hint := _how_to_execute(name, confinement)):
        return hint
    if number in _NOT_THERE:
        return _how_to_find(path, plugin, confinement, is_whole=os.path.isabs(name))
    if number in _NOT_WRITABLE and os.path.isabs(name):
        place = path if os.path.exists(path) else os.path.dirname(path)
        return f"The plugin may not write to `{place}`: {confinement.remedy.for_file(place, 'write')}"
    return ""


def may_read(policy: Policy, path: str) -> bool:
    """Whether the policy names the file, or a folder that it is in; `/` doesn't stand for the temporary files of others."""
    allowed = (*policy.read, *policy.write)
    return any(is_within(each, path) for each in allowed if each != "/" or not is_within(_TEMPORARY, path))


def _how_to_execute(name: str, confinement: Confinement) -> str:
    """If that is a program of this machine's, and the plugin may start some, but not this one."""
    policy, remedy = confinement.policy, confinement.remedy
    if policy.processes == 1 or remedy is None or (os.sep in name and not os.path.isabs(name)):
        return ""
    import shutil

    program = shutil.which(name, path=_PROGRAMS)
    if program is None or any(is_within(each, program) for each in policy.execute):
        return ""
    return f"The plugin may not execute `{program}`: {remedy.for_programs([*policy.execute, os.path.dirname(program)])}"


def _how_to_find(path: str, plugin: str, confinement: Confinement, *, is_whole: bool) -> str:
    policy, remedy = confinement.policy, confinement.remedy
    assert remedy is not None
    parent = os.path.dirname(path)
    if os.path.exists(path):
        named = "" if is_whole else f"; and name it by its whole path, `{path}`"
        if any(is_within(hidden, path) for hidden in policy.hide):
            return f"The policy of `{plugin}` hides `{path}`: `policy show {plugin}` says who wants that"
        if not may_read(policy, path):
            allowing = f"{remedy.for_file(path, 'read')}, and `write` for `read` also write to it"
            return f"The plugin may not use `{path}`: {allowing}{named}"
        return "" if is_whole else f"The plugin works in a folder of its own: name the file by its whole path, `{path}`"
    in_sight = (*SYSTEM, *policy.read, *policy.write, confinement.environment.get("VIRTUAL_ENV", "/"))
    if is_whole and os.path.isdir(parent) and not any(is_within(folder, parent) for folder in in_sight):
        return f"There is no `{path}`; to make it, {remedy.for_file(parent, 'write')}"
    return ""
