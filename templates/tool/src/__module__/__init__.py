"""${description}"""

from slugify import slugify

__all__ = ["slug"]


def slug(text: str, separator: str = "-") -> str:
    """Turn a text into a name for a file or a web address.

    Args:
        text: any text, in any language.
        separator: what stands between the words.
    """
    return slugify(text, separator=separator)
