"""`sbom`: what a CycloneDX document must be by its specification, and what of the plugin must be in it."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime

import pytest

from plughost import Host

UUID = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
PURL = re.compile(r"pkg:pypi/[a-z0-9-]+@[A-Za-z0-9.%-]+(\?(vcs|download)_url=[A-Za-z0-9.%_~-]+)?")
COMPONENT = {
    "type", "bom-ref", "name", "version", "description", "hashes", "licenses", "purl", "externalReferences", "properties",
}  # fmt: skip


def check(document: dict) -> None:
    """Source: the JSON schema of CycloneDX 1.6, as far as a document of ours goes."""
    assert set(document) == {
        "$schema", "bomFormat", "specVersion", "serialNumber", "version", "metadata", "components", "dependencies",
    }  # fmt: skip
    assert (document["bomFormat"], document["specVersion"], document["version"]) == ("CycloneDX", "1.6", 1)
    assert UUID.fullmatch(document["serialNumber"])
    assert datetime.fromisoformat(document["metadata"]["timestamp"]).tzinfo
    components = [document["metadata"]["component"], *document["components"]]
    for component in components:
        assert set(component) <= COMPONENT
        assert component["type"] in {"application", "library"}
        assert component["name"]
        assert component["version"]
        assert component["bom-ref"] == component["purl"]
        assert PURL.fullmatch(component["purl"])
        for digest in component.get("hashes", []):
            assert set(digest) == {"alg", "content"}
            assert digest["alg"] == "SHA-256"
            assert re.fullmatch(r"[0-9a-f]{64}", digest["content"])
        for licence in component.get("licenses", []):
            assert set(licence) == {"expression"} or set(licence["license"]) == {"name"}
        assert all(set(reference) == {"type", "url"} for reference in component.get("externalReferences", []))
        assert all(set(one) == {"name", "value"} and isinstance(one["value"], str) for one in component.get("properties", []))
    references = [component["bom-ref"] for component in components]
    assert len(set(references)) == len(references)
    assert sorted(entry["ref"] for entry in document["dependencies"]) == sorted(references)
    assert all(set(entry["dependsOn"]) <= set(references) for entry in document["dependencies"])


def by_name(document: dict) -> dict[str, dict]:
    return {component["name"]: component for component in [document["metadata"]["component"], *document["components"]]}


def needs(document: dict, name: str) -> set[str]:
    """The names of the packages that it depends on."""
    names = {component["bom-ref"]: component["name"] for component in by_name(document).values()}
    entry = next(entry for entry in document["dependencies"] if names[entry["ref"]] == name)
    return {names[reference] for reference in entry["dependsOn"]}


def test_all_that_a_plugin_brings_along_is_in_it(host, git_repository):
    further = ["python-slugify==8.0.4", "unidecode==1.3.8"]
    plugin = host.add(git_repository("echo", dependencies=["jinja2==3.1.2"]), with_=further).plugin
    document = host.sbom(plugin.name)
    check(document)
    components = by_name(document)
    assert set(components) == {"echo", "jinja2", "markupsafe", "python-slugify", "text-unidecode", "unidecode"}
    assert needs(document, "echo") == {"jinja2", "python-slugify", "unidecode"}
    assert needs(document, "jinja2") == {"markupsafe"}
    assert needs(document, "python-slugify") == {"text-unidecode"}  # and not `unidecode`, which only an extra of it wants
    own, jinja = components["echo"], components["jinja2"]
    assert own["hashes"][0]["content"] == hashlib.sha256((plugin.folder / plugin.receipt.wheel).read_bytes()).hexdigest()
    assert {"name": "plughost:commit", "value": plugin.receipt.commit_id} in own["properties"]
    assert plugin.receipt.commit_id in own["purl"]
    assert jinja["hashes"][0]["content"] == "6088930bfe239f0e6710546ab9c19c9ef35e29792895fed6e6e31a023a182a61"
    assert jinja["licenses"] == [{"license": {"name": "BSD License"}}]
    assert jinja["purl"] == "pkg:pypi/jinja2@3.1.2"
    assert document["metadata"]["timestamp"] == plugin.receipt.added_at
    assert host.sbom(plugin.name) == document


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_package_from_the_index_has_the_digest_of_the_file_that_was_installed(host, installer):
    host.add("python-slugify==8.0.4", entry_points={"slug": "slugify:slugify"}, installer=installer)
    document = host.sbom("python-slugify")
    check(document)
    assert needs(document, "python-slugify") == {"text-unidecode"}
    assert host.audit(offline=True)[0].is_clean
    own = by_name(document)["python-slugify"]
    assert own["hashes"][0]["content"] == "276540b79961052b66b7d116620b36518847f52d5fd9e3a70164fc8c50faa6b8"
    assert own["externalReferences"][0]["url"].endswith("python_slugify-8.0.4-py2.py3-none-any.whl")


def test_the_command_prints_it_or_writes_it(plughost_command, store, git_repository, tmp_path):
    with Host(store=store) as host:
        host.add(git_repository("echo"))
        document = host.sbom("echo")
    assert plughost_command("sbom", "echo").json() == document
    written = plughost_command("sbom", "echo", "--output", "echo.cdx.json")
    assert (written.returncode, written.stdout) == (0, "Wrote `echo.cdx.json`\n")
    assert json.loads((tmp_path / "echo.cdx.json").read_text()) == document
    assert plughost_command("sbom", "echo", "-o", "no/such/folder.json").returncode == 2
    assert plughost_command("sbom", "nothing").returncode == 3
