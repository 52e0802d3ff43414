"""For whoever makes a plugin: a project from a template, a check of one, and a look at what each change of it means.

Above it: the command line; below it: `Host`, and the templates.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.authoring._check import Report, check_project, project_of
    from plughost.authoring._findings import RULES, Finding
    from plughost.authoring._project import Made, make_project, your_name

__all__ = ["RULES", "Finding", "Made", "Report", "check_project", "make_project", "project_of", "your_name"]

__getattr__ = lazily(
    __name__,
    {
        "_check": ("Report", "check_project", "project_of"),
        "_findings": ("RULES", "Finding"),
        "_project": ("Made", "make_project", "your_name"),
    },
)
