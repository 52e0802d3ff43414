"""A bill of materials: the plugin and all that it brings along, as a CycloneDX document.

Above it: `Host`; below it: the receipt, the lock, and the metadata in the environment. The same revision gives the same document:
its serial number comes from the lock, its time from the receipt.

Source: CycloneDX 1.6, JSON; the package-URL specification, type `pypi`.
"""

from __future__ import annotations

import re
import uuid
from urllib.parse import quote

from plughost import __version__, registry
from plughost import lock as locks
from plughost._interpreters import Interpreter
from plughost.errors import StoreError
from plughost.trust._environment import read_environment
from plughost.trust._requires import dependencies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from email.message import Message

    from plughost._info import Plugin
    from plughost.lock import LockedFile
    from plughost.registry import Receipt
    from plughost.trust._environment import Distribution

    Table = dict[str, object]

__all__ = ["bill_of_materials"]

#: The namespace of our serial numbers, which are made from a lock's digest.
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/bom/1.6")
_LONGEST_LICENSE_NAME = 80
_SHA256 = re.compile(r"[0-9a-f]{64}")


def bill_of_materials(plugin: Plugin) -> Table:
    """Raises: StoreError: the lock or the environment can't be read."""
    receipt = plugin.receipt
    registry.check_file(plugin.folder, receipt, "pylock.toml", receipt.lock_sha256)
    python = Interpreter(executable=receipt.python, version=receipt.python_version)
    files = {file.name: file for file in locks.files(plugin.folder, python=python)}
    try:
        environment = read_environment(str(plugin.environment))
    except OSError as error:
        raise StoreError(
            f"The environment of `{plugin.name}` can't be read", reference="venv-missing", causes=[str(error)]
        ) from error
    installed = {distribution.name: distribution for distribution in environment.distributions}
    own = receipt.package
    references = {name: _purl(file, _version(file, installed)) for name, file in files.items()}
    references[own] = _own_purl(receipt)
    graph = dependencies(plugin, {name: one.metadata for name, one in installed.items()})
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{plugin.name} {receipt.lock_sha256} {receipt.revision}')}",
        "version": 1,
        "metadata": {
            "timestamp": receipt.added_at,
            "tools": {"components": [{"type": "application", "name": "plughost", "version": __version__}]},
            "component": _plugin_component(plugin, references[own], files.get(own), installed.get(own)),
        },
        "components": [_component(file, references[name], installed) for name, file in sorted(files.items()) if name != own],
        "dependencies": [
            {"ref": reference, "dependsOn": sorted(references[other] for other in graph.get(name, ()) if other in references)}
            for name, reference in sorted(references.items(), key=lambda item: item[1])
        ],
    }


def _plugin_component(plugin: Plugin, reference: str, file: LockedFile | None, distribution: Distribution | None) -> Table:
    receipt = plugin.receipt
    sha256 = receipt.wheel_sha256 or (file.sha256 if file else "")
    said: Table = {"type": "application", "bom-ref": reference, "name": receipt.package, "version": receipt.version}
    if plugin.summary:
        said["description"] = plugin.summary
    if _SHA256.fullmatch(sha256):
        said["hashes"] = [_hash(sha256)]
    said.update(_licenses(distribution))
    said["purl"] = reference
    if url := str(receipt.direct_url.get("url", "") or (file.url if file else "")):
        said["externalReferences"] = [{"type": "vcs" if receipt.commit_id else "distribution", "url": url}]
    properties = {
        "plughost:name": plugin.name,
        "plughost:source": receipt.source,
        "plughost:commit": receipt.commit_id,
        "plughost:digest": receipt.digest,
        "plughost:python": receipt.python_version,
        "plughost:lock-sha256": receipt.lock_sha256,
        **{f"plughost:signer:{key}": value for key, value in receipt.signer.items()},
    }
    said["properties"] = [{"name": name, "value": value} for name, value in sorted(properties.items()) if value]
    return said


def _component(file: LockedFile, reference: str, installed: dict[str, Distribution]) -> Table:
    said: Table = {"type": "library", "bom-ref": reference, "name": file.name, "version": _version(file, installed)}
    if distribution := installed.get(file.name):
        if summary := _line(distribution.metadata, "Summary"):
            said["description"] = summary
        said.update(_licenses(distribution))
    if _SHA256.fullmatch(file.sha256):
        said["hashes"] = [_hash(file.sha256)]
    said["purl"] = reference
    if file.url:
        place: Table = {"type": "vcs" if file.url.startswith("git+") else "distribution", "url": file.url}
        said["externalReferences"] = [place]
    return said


def _version(file: LockedFile, installed: dict[str, Distribution]) -> str:
    """As locked; of a commit, whose version no lock has to have, as installed."""
    return file.version or (installed[file.name].version if file.name in installed else "")


def _purl(file: LockedFile, version: str) -> str:
    """Where it comes from is part of the name of what comes from no index."""
    qualifier = ""
    if file.url.startswith("git+"):
        qualifier = f"?vcs_url={quote(file.url, safe='')}"
    elif file.url.startswith("file:"):
        qualifier = f"?download_url={quote(file.url, safe='')}"
    return f"pkg:pypi/{file.name}@{quote(version, safe='')}{qualifier}"


def _own_purl(receipt: Receipt) -> str:
    url = str(receipt.direct_url.get("url", ""))
    qualifier = ""
    if receipt.commit_id:
        qualifier = f"?vcs_url={quote(f'git+{url}@{receipt.commit_id}', safe='')}"
    elif url:
        qualifier = f"?download_url={quote(url, safe='')}"
    return f"pkg:pypi/{receipt.package}@{quote(receipt.version, safe='')}{qualifier}"


def _licenses(distribution: Distribution | None) -> Table:
    """The SPDX expression, else what the older fields say."""
    if distribution is None:
        return {}
    metadata = distribution.metadata
    if expression := _line(metadata, "License-Expression"):
        return {"licenses": [{"expression": expression}]}
    classifiers = [str(text) for text in metadata.get_all("Classifier", [])]
    names = [text.rpartition(" :: ")[2] for text in classifiers if text.startswith("License :: ")]
    names = [name for name in names if name != "OSI Approved"]
    if not names:
        text = _line(metadata, "License")
        names = [text] if text and len(text) <= _LONGEST_LICENSE_NAME else []
    return {"licenses": [{"license": {"name": name}} for name in sorted(set(names))]} if names else {}


def _line(metadata: Message, name: str) -> str:
    text = str(metadata.get(name) or "").strip()
    return "" if "\n" in text or text == "UNKNOWN" else text


def _hash(sha256: str) -> Table:
    return {"alg": "SHA-256", "content": sha256}
