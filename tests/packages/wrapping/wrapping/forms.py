# ruff: noqa: A002, ARG002, PLC2401 - hook implementations take the arguments that their hooks have
"""Hook implementations in every form that pluggy knows, and what is none."""

import functools

from wrapping import hookimpl


def _decorated(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return ["decorated", function(*args, **kwargs)]

    return wrapper


class _Base:
    @hookimpl
    def inherited(self, a):
        return [type(self).__name__, a]

    @hookimpl
    def overridden(self, a):
        return "of the base"


class _Plugin(_Base):
    asked = 0

    def __init__(self):
        self.on_instance = hookimpl(lambda a: ["unbound", a])
        self.partial = functools.partial(self.method, a=1)
        self.partial.app_impl = {}
        self.bound = _Other().bound

    @hookimpl
    def method(self, a):
        return ["method", a]

    @hookimpl
    @classmethod
    def above_classmethod(cls, a):
        return [cls.__name__, a]

    @classmethod
    @hookimpl
    def below_classmethod(cls, a):
        return [cls.__name__, a]

    @hookimpl
    @staticmethod
    def above_staticmethod(a):
        return ["static", a]

    @staticmethod
    @hookimpl
    def below_staticmethod(a):
        return ["static", a]

    def overridden(self, a):
        """Without a mark: not an implementation any more."""

    @hookimpl
    @_decorated
    def decorated(self, a):
        return a

    @_decorated
    @hookimpl
    def marked_before(self, a):
        return a

    @property
    def dangerous(self):
        type(self).asked += 1
        raise SystemExit("a property was asked")

    @hookimpl
    def asked_properties(self):
        return type(self).asked

    @hookimpl
    def defaults(self, a, b="own", *, c="never given"):
        return [a, b, c]

    @hookimpl
    def none_given(self):
        return "nothing"

    @hookimpl
    def größe(self, länge, match=2, type=3):
        return [länge, match, type]

    @hookimpl(specname="twice")
    def second(self, a):
        return ["second", a]

    @hookimpl
    def twice(self, a):
        return ["first", a]

    @hookimpl(tryfirst=True, trylast=True)
    def both(self, a):
        return "isolated"

    @hookimpl
    def _private(self, a):
        return ["private", a]


class _Other:
    @hookimpl
    def bound(self, a):
        return [type(self).__name__, a]


plugin = _Plugin()
