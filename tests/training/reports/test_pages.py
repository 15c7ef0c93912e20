"""What pages and figures take from outside: words, and nothing else."""

import matplotlib as mpl
from matplotlib.figure import Figure

from training.reports import pages
from training.reports.pages import in_own_style


def test_a_page_shows_words_and_obeys_none():
    assert pages._fit("a\x1b\rb\nc") == "a\\x1b\\rb\nc"
    assert pages._fit(3) == 3


def test_a_figure_is_drawn_in_the_own_style_of_matplotlib():
    @in_own_style
    def width():
        return Figure().subplots().plot([0, 1])[0].get_linewidth()

    with mpl.rc_context({"lines.linewidth": 99}):
        assert width() == mpl.rcParamsDefault["lines.linewidth"]
        assert mpl.rcParams["lines.linewidth"] == 99
