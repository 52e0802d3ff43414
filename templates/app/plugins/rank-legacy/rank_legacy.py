"""Versions in order, whatever they look like."""

import warnings

import packaging
import pluggy
from packaging.version import parse

warnings.filterwarnings("ignore", message="Creating a LegacyVersion")
hookimpl = pluggy.HookimplMarker("${module}")


@hookimpl
def rank(versions):
    return {"by": "rank-legacy", "with": f"packaging {packaging.__version__}", "order": sorted(versions, key=parse)}
