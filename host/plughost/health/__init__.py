"""What is wrong with a machine, a store and what is installed in it. It tells, and changes nothing.

Above it: the host, and the repair; below it: the registry, the venv and the interpreters. A fault is a record that names the
file, says what is the matter with it, and what to type.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.health._digest import digest_of
    from plughost.health._environment import ExaminedVenv
    from plughost.health._examine import Examiner
    from plughost.health._fault import Fault
    from plughost.health._machine import Machine, examine_machine
    from plughost.health._plugin import ExaminedPlugin, ExaminedRevision
    from plughost.health._quick import first_fault
    from plughost.health._recover import recover_receipt, recover_state

__all__ = [
    "ExaminedPlugin",
    "ExaminedRevision",
    "ExaminedVenv",
    "Examiner",
    "Fault",
    "Machine",
    "digest_of",
    "examine_machine",
    "first_fault",
    "recover_receipt",
    "recover_state",
]

__getattr__ = lazily(
    __name__,
    {
        "_digest": ("digest_of",),
        "_environment": ("ExaminedVenv",),
        "_examine": ("Examiner",),
        "_fault": ("Fault",),
        "_machine": ("Machine", "examine_machine"),
        "_plugin": ("ExaminedPlugin", "ExaminedRevision"),
        "_quick": ("first_fault",),
        "_recover": ("recover_receipt", "recover_state"),
    },
)
