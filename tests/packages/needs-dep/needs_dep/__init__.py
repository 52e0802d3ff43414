"""A plugin that needs idna 3.7, and no other."""

import idna


def encode(domain: str) -> str:
    """The form of a domain name that DNS understands."""
    return idna.encode(domain).decode()


def version() -> str:
    return idna.__version__
