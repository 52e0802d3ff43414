"""A plugin for Python 3.8 alone."""

import sys
from typing import List


def version() -> List[int]:
    return list(sys.version_info[:2])
