"""What is known of the packages that a plugin brings along: an audit of them, and a bill of materials.

Above it: the host and the command line; below it: the receipts, the locks, the files of the environments, and a service that
knows of vulnerabilities. It imports and starts nothing of a plugin, and changes nothing.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.trust._audit import audit
    from plughost.trust._findings import Audit, Finding, Vulnerability
    from plughost.trust._sbom import bill_of_materials

__all__ = ["Audit", "Finding", "Vulnerability", "audit", "bill_of_materials"]

__getattr__ = lazily(
    __name__,
    {"_audit": ("audit",), "_findings": ("Audit", "Finding", "Vulnerability"), "_sbom": ("bill_of_materials",)},
)
