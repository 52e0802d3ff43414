"""Points in time as users write them: a date, an instant, or how long ago.

Source: uv's reference, `exclude-newer`: RFC 3339 timestamps, local dates, friendly durations, ISO 8601 durations without months
and years.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from plughost.errors import UsageError

__all__ = ["absolute", "as_text", "moment"]

_UNITS = {
    "weeks": ("weeks", "week", "wks", "wk", "w"),
    "days": ("days", "day", "d"),
    "hours": ("hours", "hour", "hrs", "hr", "h"),
    "minutes": ("minutes", "minute", "mins", "min", "m"),
    "seconds": ("seconds", "second", "secs", "sec", "s"),
}
#: Before the first package.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in words}
_PART = re.compile(r"(\d{1,6})\s*([a-z]+)\s*,?\s*")
_ISO = re.compile(r"p(?:(\d{1,6})w)?(?:(\d{1,6})d)?(?:t(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?)?")


def as_text(value: object) -> str | None:
    """A date, an instant or a duration, as the text of it; None if it is nothing of these."""
    if isinstance(value, date):  # which TOML has, without quotes; a datetime is one
        return value.isoformat()
    return value if isinstance(value, str) and (_duration(value) is not None or _is_date(value)) else None


def absolute(text: str, *, now: datetime | None = None) -> str:
    """The date or instant as it was written, or the instant that lies that long before `now`, in UTC; "" for "".

    Raises: UsageError: it is neither.
    """
    duration = _duration(text)
    if duration is not None:
        try:
            instant = (now or datetime.now(UTC)) - duration
        except OverflowError:
            instant = _EPOCH
        return max(instant, _EPOCH).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if text and not _is_date(text):
        hint = "Write it as in `2025-03-31`, or as in `7 days`"
        raise UsageError(f"`{text}` is not a date", reference="usage", hint=hint)
    return text


def moment(text: str) -> datetime:
    """The moment that a date, an instant or a duration means now, to compare it; "" lies after all."""
    return datetime.fromisoformat(absolute(text)).astimezone(UTC) if text else datetime.max.replace(tzinfo=UTC)


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _duration(text: str) -> timedelta | None:
    lowered = text.strip().lower()
    if iso := _ISO.fullmatch(lowered):
        numbers = {unit: int(number) for unit, number in zip(_UNITS, iso.groups(), strict=True) if number}
        return timedelta(**numbers) if numbers else None
    parts = _PART.findall(lowered.removesuffix(" ago"))
    if not parts or _PART.sub("", lowered.removesuffix(" ago")) or any(unit not in _UNIT_OF for _, unit in parts):
        return None
    return sum((timedelta(**{_UNIT_OF[unit]: int(number)}) for number, unit in parts), timedelta())
