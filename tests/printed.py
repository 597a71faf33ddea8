"""The numbers of a printed text, and whether a table of numbers has them."""

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
_POWER = re.compile(r"([\d.]+) × 10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)")  # 7.3 × 10¹⁰
UNITS = {"days": 86400.0, "h": 3600.0, "min": 60.0, "s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}
_TIME = re.compile(rf"(?<![\d.,])(\d[\d,]*\.?\d*) ({'|'.join(UNITS)})\b")
_NUMBER = re.compile(r"\d[\d,]*\.?\d*(?:e[+-]?\d+)?")


def unknown_numbers(text: str, numbers: Any) -> list[str]:
    """Numbers of the text that are none of `numbers`, up to rounding.

    Numbers are also those in its strings (commands, versions, dates), and how many rows its lists
    have; constants aside.
    """
    values, words = _flat(numbers)
    known = np.unique(np.abs(np.concatenate([values, 100 * np.array(values)])))
    tokens = {token for word in words for token in _tokens(word)} | CONSTANTS.keys()
    text = _NAMES.sub(" ", text)
    times = [
        f"{token} {unit}"
        for token, unit in dict.fromkeys(_TIME.findall(text))
        if token not in tokens
        and not _among(token, known)  # a column of such times
        and not _time_among(token, unit, known)
    ]
    return times + [
        token
        for token in dict.fromkeys(_tokens(_TIME.sub(" ", text)))
        if token not in tokens and not _among(token, known)
    ]


def _tokens(text: str) -> list[str]:
    return [token.rstrip(",.") for token in _NUMBER.findall(_POWER.sub(_plain, text))]


def _plain(power: re.Match[str]) -> str:
    return f"{power[1]}e{power[2].translate(_RAISED)}"


def _among(token: str, known: Any) -> bool:
    """Within half of the last digit that is said; of whole numbers as `1,234` within half of 1."""
    mantissa, _, exponent = token.replace(",", "").partition("e")
    digits = len(mantissa.partition(".")[2])
    half = 0.501 * 10.0 ** (int(exponent or 0) - digits)
    return bool((np.abs(known - float(token.replace(",", ""))) <= half).any())


def _time_among(token: str, unit: str, known: Any) -> bool:
    """Three digits are said of a time, in a unit that suits it."""
    return bool(np.isclose(known, float(token.replace(",", "")) * UNITS[unit], rtol=6e-3).any())


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
