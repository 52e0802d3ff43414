"""Hook implementations as the methods of a class."""

import pluggy

hookimpl = pluggy.HookimplMarker("plughost")


class Scorer:
    @hookimpl(trylast=True)
    def score(self, text):
        return text.count("a")
