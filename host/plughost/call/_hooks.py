"""Hook implementations called on a worker: one request for a function, two for a wrapper.

Above it: the plugins that are attached to a PluginManager; below it: the worker. Which worker, and for how long it is kept, is
the business of whoever calls.
"""

from __future__ import annotations

from pluggy import Result

from plughost.call._arguments import not_sendable
from plughost.call._errors import describe_exception, error_from
from plughost.call._kept import put_back, set_apart
from plughost.errors import CallTimeout, PluginCrashed, UsageError
from plughost.runner.wire import WireError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from plughost.contract import HookImplementation
    from plughost.worker import Exchange, Worker

__all__ = ["HookCall", "HookWrapping", "Terms", "conclude_hook"]


class Terms:
    """What holds for each call of a plugin's hooks.

    `offers` are the functions that the app offers, by name: one of them as an argument arrives as a function that calls it.
    `types` are the app's exceptions by their qualified names. `timeout_s` is for each call, and for each half of a wrapper.
    """

    __slots__ = ("offers", "timeout_s", "types")

    def __init__(
        self,
        *,
        offers: Mapping[str, object],
        types: Mapping[str, type[Exception]],
        timeout_s: float | None = None,
    ) -> None:
        self.offers = offers
        self.types = types
        self.timeout_s = timeout_s


class HookCall:
    """One call of one implementation, from the moment that its worker was asked."""

    __slots__ = ("_exchange", "_implementation", "_terms")

    def __init__(
        self,
        worker: Worker,
        implementation: HookImplementation,
        args: Sequence[object],
        kwargs: Mapping[str, object],
        *,
        terms: Terms,
    ) -> None:
        """Raises: UsageError: an argument has no wire form; the worker was not asked."""
        params = _params(implementation, args, kwargs, terms.offers)
        self._implementation = implementation
        self._terms = terms
        self._exchange = _begin(worker, "call", params, implementation, terms.timeout_s)

    @property
    def deadline(self) -> float | None:
        """When `advance` will raise CallTimeout: a `time.monotonic()`."""
        return self._exchange.deadline

    def descriptors(self) -> list[tuple[int, int]]:
        """What to wait for, as for `select.poll`, before `advance` can get on."""
        return self._exchange.descriptors()

    def advance(self) -> bool:
        """Take what has come without waiting; whether `result` will not have to wait either.

        Raises: as `result` does.
        """
        return self._exchange.advance()

    @property
    def ended_ns(self) -> int:
        """When `advance` had the answer, a `time.perf_counter_ns()`; 0 where `result` waited for it."""
        return self._exchange.ended_ns

    def abandon(self) -> None:
        """End the worker, unless it has answered."""
        self._exchange.abandon()

    def result(self) -> object:
        """What the implementation returned.

        Raises: PluginError: what it raised. CallTimeout, PluginCrashed: and the worker is gone.
        """
        return conclude_hook(self._implementation, self._terms, self._exchange)

    def items(self) -> Iterator[object]:
        """The items of a generator function as they come; leaving early closes it in the child."""
        done, message = self._exchange.step()
        while not done:
            assert isinstance(message, list)
            try:
                yield from message
            except GeneratorExit:
                self._exchange.cancel()
                raise
            done, message = self._exchange.step()
        _result(message, self._implementation, self._terms, self._exchange)


def conclude_hook(implementation: HookImplementation, terms: Terms, exchange: Exchange) -> object:
    """What an implementation returned whose call is under way.

    Raises: PluginError: what it raised. CallTimeout, PluginCrashed: and the worker is gone.
    """
    done, message = exchange.step()
    items: list[object] | None = None
    while not done:  # a function that returned a generator all the same: its items, as a list would have them
        assert isinstance(message, list)
        items = message if items is None else items + message
        exchange.mind_total()
        done, message = exchange.step()
    result = _result(message, implementation, terms, exchange)
    return result if items is None else items


class HookWrapping:
    """One call of a wrapper: begun up to its `yield`, then resumed on the same worker or dropped."""

    __slots__ = ("_implementation", "_number", "_terms", "_worker", "forced", "passed_on")

    def __init__(
        self,
        worker: Worker,
        implementation: HookImplementation,
        args: Sequence[object],
        kwargs: Mapping[str, object],
        *,
        terms: Terms,
    ) -> None:
        """Raises: UsageError: an argument has no wire form. Else as `HookCall.result`."""
        self._worker = worker
        self._implementation = implementation
        self._terms = terms
        #: What it made of a call that is over by raising itself, of the old style; and what it was given and let through.
        self.forced: BaseException | None = None
        self.passed_on: BaseException | None = None
        self._number = self._ask("wrap", _params(implementation, args, kwargs, terms.offers)).get("wrapper")

    def run(self) -> Generator[None, object, object]:
        """What pluggy drives: yields where the wrapper yields, and ends as it ends."""
        if not self._number:
            return None  # it ended without a `yield`, and so do we: what to say of that is pluggy's business
        if self._implementation.options["hookwrapper"]:
            yield from self._run_old_style()
            return None
        try:
            inner = yield
        except GeneratorExit:
            self._drop()
            raise
        except BaseException as error:
            reply = self._resume_with_error(error)
            if reply.get("outcome") == "same":
                self.passed_on = error
                raise
        else:
            reply = self._resume_with_result(inner)
            if reply.get("outcome") == "same":
                return inner
        if reply.get("outcome") == "yielded":
            yield from self._yield_again()
        return reply.get("value")

    def _run_old_style(self) -> Generator[None, object, None]:
        try:
            outcome = yield
        except GeneratorExit:
            self._drop()
            raise
        assert isinstance(outcome, Result)
        if outcome.exception is not None:
            reply = self._resume_with_error(outcome.exception)
        else:
            reply = self._resume_with_result(outcome.get_result())
        error = reply.get("error")
        if reply.get("outcome") == "yielded":
            yield from self._yield_again()
        elif reply.get("outcome") == "raised":
            self.passed_on = outcome.exception
            outcome.get_result()
        elif reply.get("outcome") == "result":
            outcome.force_result(reply.get("value"))
        elif isinstance(error, dict):
            raised = error_from({"data": error}, what=_label(self._implementation), types=self._terms.types)
            raised.__context__ = outcome.exception
            outcome.force_exception(raised)
            self.forced = raised

    def _yield_again(self) -> Generator[None, object, None]:
        """A wrapper that yields twice is pluggy's to refuse."""
        try:
            yield
        finally:
            self._drop()

    def _resume_with_error(self, error: BaseException) -> dict[str, object]:
        """Raises: the error itself, if with it the worker went away in which the wrapper stands. Else as `_resume`."""
        if not self._worker.alive and isinstance(error, CallTimeout | PluginCrashed):
            raise error
        return self._resume(error=describe_exception(error))

    def _resume_with_result(self, result: object) -> dict[str, object]:
        try:
            reply = self._resume(result=result)
        except UsageError:  # an object in it has no wire form
            if not self._worker.alive:
                raise
            sent, kept = set_apart(result)
            reply = self._resume(result=sent, kept=kept)
        try:
            reply["value"] = put_back(reply.get("value"), reply.get("given"), result)
        except (LookupError, TypeError, ValueError):
            self._worker.kill()
            raise PluginCrashed(
                f"{_label(self._implementation)} broke the protocol, and its process was ended",
                reference="protocol-violated",
                causes=["It names a place in a result that has no such place"],
            ) from None
        return reply

    def _resume(self, **inner: object) -> dict[str, object]:
        style = "hookwrapper" if self._implementation.options["hookwrapper"] else "wrapper"
        return self._ask("resume", {"wrapper": self._number, "style": style, **inner})

    def _drop(self) -> None:
        if self._worker.alive:
            self._ask("drop", {"wrapper": self._number})

    def _ask(self, method: str, params: dict[str, object]) -> dict[str, object]:
        exchange = _begin(self._worker, method, params, self._implementation, self._terms.timeout_s)
        reply = _result(exchange.step()[1], self._implementation, self._terms, exchange)
        return reply if isinstance(reply, dict) else {}


def _params(
    implementation: HookImplementation,
    args: Sequence[object],
    kwargs: Mapping[str, object],
    offers: Mapping[str, object],
) -> dict[str, object]:
    params: dict[str, object] = {"target": implementation.target, "args": list(args), "kwargs": dict(kwargs)}
    if offers and (offered := _offered(args, kwargs, offers)):
        params["offered"] = offered
        params["args"] = [None if str(index) in offered else value for index, value in enumerate(args)]
        params["kwargs"] = {name: None if name in offered else value for name, value in kwargs.items()}
    return params


def _offered(args: Sequence[object], kwargs: Mapping[str, object], offers: Mapping[str, object]) -> dict[str, str]:
    """Which arguments are functions that the app offers: place or name → the name that it offers the function by."""
    found = {}
    for place, value in (*enumerate(args), *kwargs.items()):
        if callable(value):
            # By equality: a bound method is another object each time it is looked up.
            name = next((name for name, function in offers.items() if function == value), None)
            if name is not None:
                found[str(place)] = name
    return found


def _begin(
    worker: Worker, method: str, params: dict[str, object], implementation: HookImplementation, timeout_s: float | None
) -> Exchange:
    try:
        return worker.begin(method, params, what=_label(implementation), timeout_s=timeout_s)
    except WireError as error:
        raise not_sendable(f"An argument of {_label(implementation)}", error) from error


def _label(implementation: HookImplementation) -> str:
    return f"`{implementation.plugin}:{implementation.function}`"


def _result(message: object, implementation: HookImplementation, terms: Terms, exchange: Exchange) -> object:
    assert isinstance(message, dict)
    problem = message.get("error")
    if isinstance(problem, dict):
        raise exchange.explained(error_from(problem, what=_label(implementation), types=terms.types))
    return message["result"]
