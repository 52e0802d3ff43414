from ${module} import slug


def test_accents_and_punctuation_are_gone():
    assert slug("Crème brûlée, please") == "creme-brulee-please"


def test_the_separator_is_free():
    assert slug("one two", separator="_") == "one_two"
