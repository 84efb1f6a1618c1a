"""Which words are names of AWS regions? New ones appear, so their form is checked and AWS says the rest."""

from __future__ import annotations

import re

FORM = r"^[a-z]{2}(-[a-z]+){1,3}-\d{1,2}$"
MOST = 40  # AWS has fewer; each is asked at every inventory


def regions_in(words: str) -> list[str]:
    """Those that are named, each once, in their order. ValueError names what is none, or says that there are none."""
    named = list(dict.fromkeys(re.split(r"[\s,;]+", words.strip().lower()))) if words.strip() else []
    for word in named:
        if not re.fullmatch(FORM, word):
            raise ValueError(f"{word[:40]!r} is no name of a region, such as eu-west-3.")
    if not 1 <= len(named) <= MOST:
        raise ValueError(f"Name 1 to {MOST} regions.")
    return named
