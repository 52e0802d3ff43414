"""The environment that each call of pip gets.

Above it: `_pip`; below it: the allow-lists. The user's `pip.conf` is read by pip itself.
"""

from __future__ import annotations

from plughost import _process
from plughost._installing import NETWORK, passed_on, rooted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["environment"]

#: Where packages come from and how to get there. What changes how pip installs (`PIP_TARGET`, `PIP_USER`) is left out.
_USERS_OWN = (
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "PIP_CLIENT_CERT",
    "PIP_CONFIG_FILE",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_INDEX_URL",
    "PIP_KEYRING_PROVIDER",
    "PIP_NO_INDEX",
    "PIP_PROXY",
    "PIP_RETRIES",
    "PIP_TRUSTED_HOST",
    "REQUESTS_CA_BUNDLE",
)

_FIXED = {
    "GIT_TERMINAL_PROMPT": "0",
    "NO_COLOR": "1",
    "PIP_BREAK_SYSTEM_PACKAGES": "1",  # nothing is installed but into environments of our own
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_COLOR": "1",
    "PIP_NO_INPUT": "1",
    "PIP_PROGRESS_BAR": "off",
    "PIP_REQUIRE_VIRTUALENV": "0",
    "PIP_USER": "0",
    "PYTHONNOUSERSITE": "1",
}


def environment(*, cache: str, extra: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of one call: `extra` over the fixed part, over the user's."""
    users_own = passed_on((*NETWORK, *_USERS_OWN))
    if places := users_own.get("PIP_FIND_LINKS"):
        users_own["PIP_FIND_LINKS"] = " ".join(rooted(places.split()))
    return {**_process.base_environment(), **users_own, **_FIXED, "PIP_CACHE_DIR": cache, **extra}
