"""For whoever makes a plugin: a project from a template, a check of one, and a look at what each change of it means.

Above it: the command line; below it: `Host`, and the templates.
"""

from plughost._lazy import lazily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plughost.authoring._project import Made, make_project, your_name

__all__ = ["Made", "make_project", "your_name"]

__getattr__ = lazily(__name__, {"_project": ("Made", "make_project", "your_name")})
