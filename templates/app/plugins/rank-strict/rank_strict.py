"""Versions in order, as PEP 440 has it."""

import packaging
import pluggy
from packaging.version import InvalidVersion, Version

hookimpl = pluggy.HookimplMarker("${module}")


@hookimpl
def rank(versions):
    answer = {"by": "rank-strict", "with": f"packaging {packaging.__version__}"}
    for version in versions:
        try:
            Version(version)
        except InvalidVersion:
            return {**answer, "error": f"{version} is no version"}
    return {**answer, "order": sorted(versions, key=Version)}
