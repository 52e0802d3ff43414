"""The commands on what is trusted, and on what is set."""

from __future__ import annotations

from plughost.cli._declaration import JSON, Command, argument, flag, option

__all__ = ["COMMANDS"]

_AUDIT = Command(
    "audit",
    group="Trust",
    summary="Look for known vulnerabilities, and what plugins bring along",
    description="""\
Ask a service for the known vulnerabilities of every package that is locked for a plugin, and look at the files of its \
environment: code that runs when Python starts, commands and modules with the names of others, files that are in no package. \
Without a NAME, of all plugins. Nothing of them is started.

It ends with 1 where it found a vulnerability or a warning. The setting `audit-service` names the service, which is told \
names and versions of packages; `--offline` leaves it out.""",
    parameters=(
        argument("names", "[NAME]...", multiple=True, required=False, completes="plugin"),
        flag("--offline", "Ask no service: look at the files alone"),
        JSON,
    ),
    examples=(("audit", "all"), ("audit weather --offline", "one, by its files alone"), ("audit --json", "for a program")),
    handler="plughost.cli._audit:audit",
)

_SBOM = Command(
    "sbom",
    group="Trust",
    summary="Print a plugin's bill of materials, in CycloneDX",
    description="""\
Print a CycloneDX 1.6 document: the plugin with its commit and its signer, every package that it brings along with version, hash \
and licence, and which needs which. The same installation gives the same document.""",
    parameters=(
        argument("name", "NAME", completes="plugin"),
        option("--output -o", "FILE", "Write it to FILE, instead of printing it", completes="path"),
    ),
    examples=(("sbom weather -o weather.cdx.json", ""),),
    handler="plughost.cli._sbom:sbom",
)

_CONFIG = Command(
    "config",
    group="Trust",
    summary="Show the settings, and where each was said",
    description="""\
Show each setting, its value and where it was said: in a variable of the environment, in the project's `plughost.toml` or \
`[tool.plughost]`, in the user's file, or nowhere, so that it is the default. With KEY, print the value of that setting alone.""",
    parameters=(argument("key", "[KEY]", required=False), JSON),
    examples=(("config", "all"), ("config exclude-newer", "one value, for a script"), ("config --json", "for a program")),
    handler="plughost.cli._config:config",
)

COMMANDS = (_AUDIT, _SBOM, _CONFIG)
