"""The environment that each call of uv gets.

Above it: `_uv`; below it: the allow-lists. uv reads no configuration file here, neither a project's (it would be the plugin's)
nor the user's (it may change what is resolved). What a uv user would miss is where packages come from: so the index settings of
the user's and of the system's `uv.toml` are handed on as environment variables, and no file with a credential in it is written.
What the user's own environment sets comes first, as it does in uv.
"""

from __future__ import annotations

import os
from urllib.parse import quote

from plughost import _process
from plughost._installing import NETWORK, passed_on, rooted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["environment", "for_pip", "is_offline"]

#: uv's own variables that say where packages come from and how to get there, not which of them are taken.
_USERS_OWN = (
    "UV_CONCURRENT_*",
    "UV_CREDENTIALS_DIR",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_HTTP_*",
    "UV_INDEX*",
    "UV_INSECURE_HOST",
    "UV_KEYRING_PROVIDER",
    "UV_NATIVE_TLS",
    "UV_NO_INDEX",
    "UV_OFFLINE",
    "UV_REQUEST_TIMEOUT",
    "UV_SYSTEM_CERTS",
    "XDG_DATA_HOME",  # where `uv auth login` keeps its credentials
)

_FIXED = {
    "UV_CONFIG_FILE": os.devnull,  # replaces the user's and the project's configuration
    "UV_NO_ENV_FILE": "1",
    "UV_NO_PROGRESS": "1",
    "UV_NO_WRAP": "1",  # its messages are parsed
    "NO_COLOR": "1",
    "UV_PYTHON_DOWNLOADS": "never",
    "GIT_TERMINAL_PROMPT": "0",
}

#: `uv.toml` keys that hold one value or a list, and the variable that says the same.
_PLAIN_KEYS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_EXTRA_INDEX_URL",
    "find-links": "UV_FIND_LINKS",
    "index-strategy": "UV_INDEX_STRATEGY",
    "keyring-provider": "UV_KEYRING_PROVIDER",
    "allow-insecure-host": "UV_INSECURE_HOST",
    "native-tls": "UV_NATIVE_TLS",
    "system-certs": "UV_SYSTEM_CERTS",
    "no-index": "UV_NO_INDEX",
}


def environment(*, cache: str, extra: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of one call: `extra` over the fixed part, over the user's."""
    inherited = {**passed_on(NETWORK), **_users_own()}
    return {**_process.base_environment(), **_from_files(), **inherited, **_FIXED, "UV_CACHE_DIR": cache, **extra}


def is_offline() -> bool:
    """Whether the user has told uv to use no network."""
    return os.environ.get("UV_OFFLINE", "").lower() in {"1", "true", "t", "yes", "y", "on"}


def for_pip() -> dict[str, str]:
    """The same indexes in pip's variables, with their credentials: for pip to fetch what uv has locked."""
    settings = {**_from_files(), **_users_own()}
    default = settings.get("UV_DEFAULT_INDEX") or settings.get("UV_INDEX_URL", "")
    others = f"{settings.get('UV_INDEX', '')} {settings.get('UV_EXTRA_INDEX_URL', '')}".split()
    found = {
        "PIP_INDEX_URL": _with_credentials(default, settings),
        "PIP_EXTRA_INDEX_URL": " ".join(_with_credentials(other, settings) for other in others),
        "PIP_FIND_LINKS": settings.get("UV_FIND_LINKS", "").replace(",", " "),
        "PIP_NO_INDEX": settings.get("UV_NO_INDEX", ""),
        "PIP_TRUSTED_HOST": settings.get("UV_INSECURE_HOST", ""),
        "PIP_KEYRING_PROVIDER": settings.get("UV_KEYRING_PROVIDER", ""),
    }
    return {name: value for name, value in found.items() if value}


def _users_own() -> dict[str, str]:
    """What the user's own environment sets."""
    settings = passed_on(_USERS_OWN)
    if places := settings.get("UV_FIND_LINKS"):
        settings["UV_FIND_LINKS"] = ",".join(rooted(places.split(",")))
    return settings


def _with_credentials(index: str, settings: Mapping[str, str]) -> str:
    """The URL of `NAME=URL` or `URL`, with the user and password that are set for NAME."""
    name, equals, url = index.partition("=")
    if not equals or "/" in name:
        return index
    variable = "".join(character if character.isalnum() else "_" for character in name.upper())
    user, password = (settings.get(f"UV_INDEX_{variable}_{what}", "") for what in ("USERNAME", "PASSWORD"))
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{quote(user, safe='')}:{quote(password, safe='')}@{rest}" if user or password else url


def _from_files() -> dict[str, str]:
    """The index settings of the configuration files that uv would read, the user's over the system's."""
    named = os.environ.get("UV_CONFIG_FILE", "")
    if os.environ.get("UV_NO_CONFIG"):
        return {}
    user = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    paths = (
        [named] if named else ["/etc/uv/uv.toml", *(f"{folder}/uv/uv.toml" for folder in _system_folders()), f"{user}/uv/uv.toml"]
    )
    settings: dict[str, str] = {}
    for path in paths:
        if os.path.isfile(path):
            settings.update(_index_settings(path))
    return settings


def _system_folders() -> list[str]:
    return [folder for folder in os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":") if os.path.isabs(folder)]


def _index_settings(path: str) -> dict[str, str]:
    import tomllib

    try:
        with open(path, "rb") as file:
            table: dict[str, object] = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError):  # unreadable for uv as well, which says so whenever its user calls it
        return {}
    settings = {variable: _text(table[key]) for key, variable in _PLAIN_KEYS.items() if key in table}
    indexes = table.get("index", [])
    named: list[str] = []
    for index in indexes if isinstance(indexes, list) else []:
        if not isinstance(index, dict) or "url" not in index or index.get("explicit"):
            continue
        address = f"{index['name']}={index['url']}" if "name" in index else str(index["url"])
        if index.get("default"):
            settings["UV_DEFAULT_INDEX"] = address
        else:
            named.append(address)
    if named:
        settings["UV_INDEX"] = " ".join(named)
    return settings


def _text(value: object) -> str:
    if isinstance(value, list):
        return " ".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
