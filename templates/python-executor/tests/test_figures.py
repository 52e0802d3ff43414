"""matplotlib's figures; where it is not installed, a stand-in that has what is used of it."""

STAND_IN = """
import sys, types
class Figure:
    def savefig(self, path):
        if broken:
            raise ValueError("no font")
        open(path, "wb").write(b"png")
broken = False
figures = {1: Figure(), 2: Figure()}
pyplot = types.ModuleType("matplotlib.pyplot")
pyplot.get_fignums, pyplot.figure, pyplot.close = (lambda: list(figures)), figures.get, figures.pop
sys.modules["matplotlib.pyplot"] = pyplot
"""


def test_open_figures_are_saved_and_closed(run, monkeypatch):
    monkeypatch.delitem(__import__("sys").modules, "matplotlib.pyplot", raising=False)
    done = run(STAND_IN)
    assert [(found["path"], found["type"]) for found in done["artifacts"]] == [
        ("figure-1.png", "image/png"),
        ("figure-2.png", "image/png"),
    ]
    assert run("figures")["result"] == {}
    assert [found["path"] for found in run("figures[1] = Figure()")["artifacts"]] == ["figure-3.png"]


def test_a_figure_that_can_not_be_saved_is_told_of(run, monkeypatch):
    monkeypatch.delitem(__import__("sys").modules, "matplotlib.pyplot", raising=False)
    done = run(STAND_IN.replace("broken = False", "broken = True") + "'result'")
    assert (done["success"], done["result"], done["artifacts"]) == (True, "result", [])
    assert "Figure 1 can't be saved: ValueError('no font')" in done["output"]
