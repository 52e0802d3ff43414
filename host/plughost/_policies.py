"""What each plugin of a host may use: everybody's word on it, brought together.

Above it: the workers, which start plugins, and what shows policies; below it: the settings and the policies themselves.
"""

from __future__ import annotations

from plughost._remedies import Remedy
from plughost.errors import StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Protocol

    from plughost.policy import Policy
    from plughost.sandbox import BuildLimits
    from plughost.settings import Settings

    #: A policy, the name of a preset, or a table such as `{"network": ["api.example.com"], "memory": "1 GiB"}`.
    GivenPolicy = Policy | Mapping[str, object] | str

    class Granted(Protocol):
        """The state of a plugin: `grant` is JSON, or nothing."""

        @property
        def grant(self) -> str: ...

    class Plugin(Protocol):
        """An installed plugin."""

        @property
        def name(self) -> str: ...
        @property
        def state(self) -> Granted: ...


__all__ = ["SETTINGS", "Command", "Policies", "Words", "pack_grant", "unpack_grant"]

#: The settings that say something of policies.
SETTINGS = ("policy", "policies", "allow-unenforced")


class Policies:
    """What the app says (`policy`, and `allow_unenforced`: limits that may go unenforced), and what the settings say.

    `settings` are asked for when the first plugin is started.

    Raises: UsageError: a policy that can't be.
    """

    def __init__(
        self,
        policy: GivenPolicy | None = None,
        *,
        allow_unenforced: Iterable[str] = (),
        settings: Callable[[], Settings] | None = None,
    ) -> None:
        self._app = None if policy is None else _terms(policy)
        #: What a command line says above all of it.
        self.command: Command | None = None
        self._waived = (allow_unenforced,) if isinstance(allow_unenforced, str) else tuple(allow_unenforced)
        #: What commands on the plugins begin with; nothing where the app has no such commands.
        self.program = ""
        self._ask_settings = settings
        self._settings: Settings | None = None

    def of(self, plugin: Plugin, *, caller: GivenPolicy | None = None) -> Policy:
        """What an installed plugin may use, at most what the caller says.

        Raises: UsageError: a policy, or the settings, can't be used. StoreError: its grant is damaged.
        """
        return self.words_on(plugin.name, unpack_grant(plugin.state.grant), caller=caller).effective()

    def of_new(self, name: str, grant: Mapping[str, object] | None) -> Policy:
        """What a plugin may use that is being installed, with this grant."""
        return self.words_on(name, grant).effective()

    @property
    def base(self) -> Policy:
        """What a plugin may use of which nobody has said anything of its own."""
        return self.of_new("", None)

    def words_on(self, name: str, grant: Mapping[str, object] | None, *, caller: GivenPolicy | None = None) -> Words:
        """What each of those who have a say says of the plugin."""
        settings = self._known_settings()
        operator = project = None
        if settings is not None:
            operator = _together(settings.policy or None, settings.policies.get(name), fixed="policy" in _of_variables(settings))
            project = _together(settings.narrowing.get(""), settings.narrowing.get(name))
        words = Words(
            grant=grant, operator=operator, project=project, app=self._app, caller=None if caller is None else _terms(caller)
        )
        return self.command.over(words) if self.command else words

    def said(self, caller: GivenPolicy | None) -> dict[str, object]:
        """What the caller and the command line say, as a record of a call keeps it; nothing where they say nothing.

        `policy` is a table of what is set, `leave` one of what is added to what the plugin has; `waived` are the names of limits
        that may go unenforced here, whoever has said so.
        """
        waived = {"waived": sorted(self.waived)} if self.waived else {}
        terms = {**(_terms(caller) if caller is not None else {}), **(self.command.said if self.command else {})}
        more = self.command.more if self.command else {}
        if not (terms or more):
            return {**waived}
        from plughost.policy import table_of, written

        return {**waived, **({"policy": table_of(terms)} if terms else {}), **({"leave": written(more)} if more else {})}

    def remedy(self, name: str, *, caller: GivenPolicy | None = None, is_new: bool = False) -> Remedy:
        """What would allow a plugin, maybe one that is being added, what it is denied, where the caller has said this."""

        def decider(grant: Mapping[str, object], field: str) -> str:
            if self.command is not None and field in self.command.said:
                return "command"
            return self.words_on(name, grant, caller=caller).deciders()[field]

        return Remedy(name, self.program, decider, is_new=is_new)

    @property
    def waived(self) -> frozenset[str]:
        """The names of the limits that may go unenforced where this machine can't enforce them."""
        settings = self._known_settings()
        return frozenset((*self._waived, *(settings.allow_unenforced if settings else ())))

    def build_limits(self) -> BuildLimits:
        """What the operator lets a build come to."""
        from plughost.sandbox import BuildLimits

        settings = self._known_settings()
        if settings is None:
            return BuildLimits()
        return BuildLimits(
            memory_bytes=settings.build_memory,
            disk_bytes=settings.build_disk,
            processes=settings.build_processes,
            wall_s=settings.build_time,
        )

    def _known_settings(self) -> Settings | None:
        if self._settings is None and self._ask_settings is not None:
            self._settings = self._ask_settings()
        return self._settings


class Command:
    """What a user says on a command line, who is the operator and grants there anew, for this time.

    `said` are fields that hold instead of what was granted and set, `more` such that widen what the plugin would have.
    """

    __slots__ = ("more", "said")

    def __init__(self, said: Mapping[str, object], more: Mapping[str, object]) -> None:
        self.said = said
        self.more = more

    def key(self) -> object:
        """Equal for two that say the same."""
        return tuple(sorted(self.said.items())), tuple(sorted(self.more.items()))

    def over(self, words: Words) -> Words:
        """What everybody says, and this above it."""
        words = words.overruled(self.said)
        if not self.more:
            return words
        from plughost.policy._narrow import widened

        return words.overruled(widened(words.effective(), self.more))


class Words:
    """What everybody says of one plugin, as the fields that they speak of; None who says nothing."""

    __slots__ = ("app", "caller", "grant", "operator", "project")

    def __init__(
        self,
        *,
        grant: Mapping[str, object] | None = None,
        operator: Mapping[str, object] | None = None,
        project: Mapping[str, object] | None = None,
        app: Mapping[str, object] | None = None,
        caller: Mapping[str, object] | None = None,
    ) -> None:
        self.grant = grant
        self.operator = operator
        self.project = project
        self.app = app
        self.caller = caller

    def _by_party(self) -> dict[str, Mapping[str, object] | None]:
        return {party: getattr(self, party) for party in self.__slots__}

    def overruled(self, terms: Mapping[str, object]) -> Words:
        """With these fields granted and allowed by the operator, whatever the files say of them."""
        return Words(
            grant={**(self.grant or {}), **terms},
            operator={**(self.operator or {}), **terms},
            project={name: value for name, value in (self.project or {}).items() if name not in terms},
            app=self.app,
            caller=self.caller,
        )

    def effective(self) -> Policy:
        """What the plugin may use."""
        from plughost.policy._narrow import effective

        return effective(**self._by_party())

    def deciders(self) -> dict[str, str]:
        """By field, who decides it."""
        from plughost.policy._narrow import deciders

        return deciders(**self._by_party())


def pack_grant(grant: Mapping[str, object] | None) -> str:
    """The grant as a plugin's state keeps it: one line of JSON."""
    if grant is None:
        return ""
    import json

    return json.dumps(grant, separators=(",", ":"), sort_keys=True)


def unpack_grant(text: str) -> dict[str, object] | None:
    """What `pack_grant` was given; None where nothing was granted or refused.

    Raises: StoreError: it is damaged.
    """
    if not text:
        return None
    from plughost.policy import KEYS
    from plughost.runner import wire

    try:
        grant = wire.unpack(text.encode())
    except wire.WireError as error:
        hint = "`policy reset NAME` takes back what a plugin was granted"
        raise StoreError(
            "What a plugin was granted can't be read", reference="store-corrupt", causes=[str(error)], hint=hint
        ) from error
    values = ((name, tuple(value) if isinstance(value, list) else value) for name, value in grant.items())
    return {name: value for name, value in values if name in KEYS.values()}


def _terms(given: GivenPolicy) -> dict[str, object]:
    from plughost.policy._said import terms_of

    return terms_of(given)


def _together(of_all: object, of_one: object, *, fixed: bool = False) -> dict[str, object] | None:
    """What the settings say of one plugin: its own table over that of all, unless that one is `fixed`."""
    said = [_terms(each) for each in (of_all, None if fixed else of_one) if isinstance(each, dict | str)]
    return {name: value for terms in said for name, value in terms.items()} if said else None


def _of_variables(settings: Settings) -> set[str]:
    return {name for name, places in settings.origins.items() if any(place.variable for place in places)}
