"""A package of the older kind: `package.yaml`, and no `pyproject.toml`."""

import idna


def convert(domain, form="ascii"):
    """Write a domain name for DNS or for people."""
    return idna.encode(domain).decode() if form == "ascii" else idna.decode(domain)
