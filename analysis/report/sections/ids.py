"""Choose the ids of the sections of studies: anchors of the page, and names of figures."""

import re
from collections.abc import Iterable, Mapping


def unique_ids(sections: Mapping[str, int], *, taken: Iterable[str]) -> dict[tuple[str, int], str]:
    """Return the id of each section, by its study and its number there, counted from 1.

    `sections` are how many each study has. The first has the study's name as its id, the next
    `NAME.2`. Underscores are added until the id is none of `taken`, of no other section, and of no
    table or row of one: these are called `ID-2` and `ID-2-7`.
    """
    wanted = [
        (study if number == 1 else f"{study}.{number}", number, study)
        for study, count in sections.items()
        for number in range(1, count + 1)
    ]
    used, ids = set(taken), dict[tuple[str, int], str]()
    # The shortest first: a table's anchor is longer than its section's id, so only the later id of
    # a pair can be the anchor of the earlier one.
    for each, number, study in sorted(wanted, key=lambda each: (len(each[0]), *each[1:])):
        free = each
        while free in used or _section_of_anchor(free) & used:
            free += "_"
        used.add(free)
        ids[study, number] = free
    return ids


def _section_of_anchor(anchor: str) -> set[str]:
    """Return the ids whose table or row would be called so."""
    table, row = re.fullmatch(r"(.+)-\d+", anchor), re.fullmatch(r"(.+)-\d+-\d+", anchor)
    return {found[1] for found in (table, row) if found}
