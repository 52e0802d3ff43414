"""A package that says nothing of plughost."""


def shout(text: str) -> str:
    return text.upper()
