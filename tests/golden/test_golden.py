"""The golden test: stored results give the stored figures, whatever was moved or put in words anew.

It knows the project by its command line and its files alone. golden_runs.py has the command lines,
golden_leaves.py has what may differ and by how much, make_golden.py makes the files anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from golden_commands import Outcome
from golden_leaves import Leaf, differences, leaves
from golden_runs import GOLDEN, Found, look
from make_golden import read_stored

pytestmark = pytest.mark.timeout(900)  # 40 s of a quiet core, many times that on a busy one
MOST_BYTES = 250_000  # a clone has them for ever
SHOWN = 25
STORED = read_stored()
ADVICE = """
These figures, ids and labels are what the code gave before. If you moved, renamed or reworded
something, one of them changed by accident: mend that, and leave the stored figures. A figure is
never stored anew because it moved. `python tests/golden/make_golden.py` is right after a deliberate
change of the statistics or of what a label says, one that its commit describes, and after an update
of numpy, scipy or PyTorch whose effect somebody reads: it prints every leaf that changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the commands gave, and what they printed."""

    found: Found
    outcomes: Mapping[str, Outcome]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    found, outcomes = look(tmp_path_factory.mktemp("golden"))
    return Seen(found=found, outcomes=outcomes)


@pytest.mark.parametrize("part", STORED)
def test_what_the_commands_give_is_what_they_gave_before(part: str, seen: Seen) -> None:
    lines = list(differences(part, STORED[part], seen.found.get(part, {})))
    if not seen.found.get(part):
        lines = ["nothing was found; the test of the exit status says which command failed"]
    if lines:
        pytest.fail(_message(part, lines, seen.outcomes), pytrace=False)


def test_no_command_ends_in_a_traceback(seen: Seen) -> None:
    said = {name: each.err for name, each in seen.outcomes.items() if "Traceback" in each.err}
    assert not said


def test_the_stored_files_are_small() -> None:
    files = [path for path in GOLDEN.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES


def _message(part: str, lines: list[str], outcomes: Mapping[str, Outcome]) -> str:
    """Return the first differences, and for exit statuses what these commands said."""
    shown = [f"{part!r}, of {len(STORED[part]):,} leaves differ:", *lines[:SHOWN]]
    if len(lines) > SHOWN:
        shown.append(f"... and {len(lines) - SHOWN:,} more")
    if part == "exit status":
        for name, outcome in outcomes.items():
            if any(line.startswith(f"{part}: {name}: ") for line in lines):
                shown.append(f"{name} said: {(outcome.err or outcome.out).strip()[-1500:]}")
    return "\n".join([*shown, ADVICE])


# The comparison itself: each kind of difference is found.

SAMPLE = {
    "level": 0.9,
    "command": "scaling report here",
    "sections": [
        {"study": "ladder", "rows": [{"cell_id": "a", "seeds": 3, "verdict": "fewer misses"}]},
        {"study": "width", "rows": [], "note": "A sentence."},
    ],
    "future": {"curves": [{"errors": [0.1, None]}]},
}


def _changed(path: str, value: Leaf) -> dict[str, Leaf]:
    found = leaves(SAMPLE)
    assert path in found
    return {**found, path: value}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/level", 0.9 * (1 + 2e-9)),
        ("/level", None),
        ("/level", "0.9"),
        ("/sections/study=ladder/rows/cell_id=a/seeds", 4),
        ("/sections/study=ladder/rows/cell_id=a/seeds", True),
        ("/sections/study=ladder/rows/cell_id=a/verdict", "more misses"),
        ("/future/curves/0/errors/0", 0.1 * (1 + 3e-5)),
        ("/future/curves/0/errors/1", 0.0),
    ],
)
def test_a_leaf_that_changes_is_named_with_both_values(path: str, value: Leaf) -> None:
    (line,) = differences("numbers", leaves(SAMPLE), _changed(path, value))
    assert line.startswith(f"numbers: {path}: stored {leaves(SAMPLE)[path]!r}, found {value!r}")


def test_a_leaf_may_be_added_but_not_lost() -> None:
    found = leaves(SAMPLE)
    assert not list(differences("numbers", found, {**found, "/more": 1}))
    (line,) = differences("numbers", {**found, "/more": 1}, found)
    assert line == "numbers: /more: stored 1, found nothing"


def test_rounding_sentences_and_paths_do_not_count() -> None:
    found = _changed("/future/curves/0/errors/0", 0.1 * (1 + 1e-6))
    assert not list(differences("numbers", leaves(SAMPLE), found))
    assert not [path for path in found if "note" in path or "command" in path]


def test_a_section_that_is_put_before_others_renames_none() -> None:
    more = {**SAMPLE, "sections": [{"study": "new", "rows": []}, *SAMPLE["sections"]]}  # type: ignore[misc]
    assert not list(differences("numbers", leaves(SAMPLE), leaves(more)))
