"""The agent's second tool: what the words of the trade mean, from `glossary.toml`."""

import re
import tomllib
from functools import cache
from importlib import resources


@cache
def _entries() -> dict[str, str]:
    return tomllib.loads(resources.files("desk").joinpath("glossary.toml").read_text("utf-8"))


def terms(text: str) -> list[str]:
    """The terms that a text mentions, in the order of their first mention.

    A term inside a longer one does not count: `plimsoll line` does not mention `line`.
    """
    longest_first = sorted(_entries(), key=len, reverse=True)
    pattern = r"\b(" + "|".join(map(re.escape, longest_first)) + r")(?:e?s)?\b"
    return list(dict.fromkeys(re.findall(pattern, text.lower())))


def look_up(term: str) -> str:
    """The meaning of a term that `terms` has found."""
    return _entries()[term]
