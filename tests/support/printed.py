"""Find the numbers of a printed text that a table of numbers lacks."""

import re
from typing import Any

import numpy as np

# What a text may say without having measured it: levels, margins and years in names and titles.
CONSTANTS = {
    "95": "the level of one run",
    "10": "the margin, and the level of Holm's correction",
    "1989": "a recipe",
    "2022": "a recipe",
    "2025": "the revisit",
    "2055": "the question",
}
_NAMES = re.compile(r"\]\(figures/[^)]*\)|\$[^$]*\$|\b[A-Za-z]+\d+\b|^\|[-:|]+\|$|^#+ ", re.M)
_RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_SMALL = {"ms": -3, "µs": -6, "ns": -9}
_LONG = {"min": 60, "h": 3600, "days": 86_400}
_NUMBER = re.compile(r"\d[\d,]*\.?\d*(?:e[+-]?\d+)?")


def unknown_numbers(text: str, numbers: Any) -> list[str]:
    """Numbers of the text that are none of `numbers`, up to rounding.

    Numbers are also those in its strings (commands, versions, dates), and how many rows its lists
    have; constants aside.
    """
    values, words = _flat(numbers)
    known = np.unique(np.abs(np.concatenate([values, 100 * np.array(values)])))
    written = [*words, *map(_as_stored, words)]
    tokens = {token for word in written for token in _tokens(word)} | CONSTANTS.keys()
    return [
        token
        for token in dict.fromkeys(_tokens(_as_stored(_NAMES.sub(" ", text))))
        if token not in tokens and not _among(token, known)
    ]


def _as_stored(text: str) -> str:
    """Powers of ten and times as numbers.json has them: 6.9 × 10¹⁴ is 6.9e14, and 12 ms 12e-3.

    Minutes, hours and days become seconds to two digits.
    """
    text = re.sub(
        r"(?:([\d.]+) × )?10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)",
        lambda m: f"{m[1] or 1}e{m[2].translate(_RAISED)}",
        text,
    )
    text = re.sub(r"([\d.]+) (ms|µs|ns)\b(?! an example)", lambda m: f"{m[1]}e{_SMALL[m[2]]}", text)
    return re.sub(r"([\d.]+) (min|h|days)\b", lambda m: f"{float(m[1]) * _LONG[m[2]]:.1e}", text)


def _tokens(text: str) -> list[str]:
    return [token.rstrip(",.") for token in _NUMBER.findall(text)]


def _among(token: str, known: Any) -> bool:
    """Return whether a known number is within half of the last printed digit."""
    mantissa, _, exponent = token.replace(",", "").partition("e")
    digits = len(mantissa.partition(".")[2])
    half = 0.501 * 10.0 ** (int(exponent or 0) - digits)
    return bool((np.abs(known - float(token.replace(",", ""))) <= half).any())


def _flat(value: Any) -> tuple[list[float], list[str]]:
    if isinstance(value, str):
        return [], [value]
    if isinstance(value, bool | None):
        return [], []
    if isinstance(value, int | float):
        return [float(value)], []
    parts = [*value.values(), *value] if isinstance(value, dict) else value
    found = [_flat(part) for part in parts]
    values = [float(len(value)), *(number for numbers, _ in found for number in numbers)]
    return values, [word for _, words in found for word in words]
