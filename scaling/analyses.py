"""Define the analyses of a study: frozen values that its plan stores and its report shows.

A study names them: `Study(..., analyses=(ScalingCurve(), Compare(to="1989")))`. For a study without
analyses the report chooses by the shape of its grid, and prints its choice.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, get_args

from scaling.errors import InputError
from scaling.plain import from_plain

SMALLEST_WIDTH = "<smallest width>"  # not the name of any recipe
FEWER_TRICKS = "<fewer tricks>"
Axis = Literal["n_train", "n_macs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingCurve:
    """Show error against the number of training images, a curve for each recipe, with laws."""

    x: Literal["n_train"] = "n_train"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """Compare each cell with its baseline, on the same seeds and test images.

    `to` is the recipe of the baseline, which has the same size and width; or SMALLEST_WIDTH: the
    same recipe in the smallest network; or FEWER_TRICKS: the recipe with the most of the cell's
    tricks and no other. With an `axis` the figure shows errors along it, else the changes.
    """

    to: str
    axis: Axis | None = None
    title: str = ""  # of the section; empty: made from the study's name
    against: str = ""  # the baseline in words; empty: made from `to`


@dataclass(frozen=True, slots=True)
class Interaction:
    """Test whether the effect of `one` grows with `other`, by the four corners of a grid.

    The section of a comparison with an axis directly before it shows it; else it has its own.
    """

    one: Literal["width"] = "width"
    other: Literal["n_train"] = "n_train"


@dataclass(frozen=True, slots=True, kw_only=True)
class Factorial:
    """Average the effect of each trick over all orders; needs every combination of the tricks."""

    title: str = "The worth of each trick"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRun:
    """Hold a published result: misses are true counts, None where they are unknown."""

    row: str
    what: str
    dataset: str
    n_train: int
    recipe: str
    epochs: int
    test_misses: int
    n_test: int
    train_misses: int | None = None
    source: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Compare published runs with the distribution of single runs that was measured.

    Without `published`, these are the runs of 1989 and 2022 on the study's data sets. With
    `compare_to`, a table shows the change of the misses from that recipe to each other one.
    """

    title: str = "The ladder"
    published: tuple[PublishedRun, ...] | None = None
    compare_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Epochs:
    """Find the best number of epochs of each recipe and size, by validation images."""

    title: str = "Epochs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """Rank candidates by their validation errors, before any test."""

    title: str = "Screening"


Analysis: TypeAlias = ScalingCurve | Compare | Interaction | Factorial | Ladder | Epochs | Screening
KINDS: dict[str, type[Analysis]] = {kind.__name__: kind for kind in get_args(Analysis)}


def check_analyses(study: str, analyses: Any) -> None:
    """Raise InputError unless these are analyses that a plan can store."""
    if not isinstance(analyses, tuple | list):
        raise InputError(
            f"study '{study}': analyses is {analyses!r}, expected a tuple such as (ScalingCurve(),)"
        )
    for each in analyses:
        if type(each) not in KINDS.values():
            raise InputError(
                f"study '{study}': analyses has {each!r}, expected values such as ScalingCurve() or"
                f" Compare(to=RECIPE) of scaling.analyses ({', '.join(KINDS)})"
            )
        try:
            from_plan(json.loads(json.dumps(to_plan(each))))
        except (InputError, TypeError, ValueError) as error:
            raise InputError(f"study '{study}': analyses has {each!r}: {error}") from error


def to_plan(analysis: Analysis) -> dict[str, Any]:
    """Return an analysis as a JSON object."""
    return {"kind": type(analysis).__name__, **asdict(analysis)}


def from_plan(entry: Mapping[str, Any]) -> Analysis | None:
    """Return the analysis of an entry of a plan; None for one of a newer version.

    Raises InputError for an entry that is damaged.
    """
    name = entry.get("kind") if isinstance(entry, Mapping) else None
    if not isinstance(name, str):
        raise InputError(
            f"an analysis of the plan is {str(entry)[:40]!r}, expected an object with a kind such"
            " as 'ScalingCurve': run `scaling sweep` again and the plan is written anew"
        )
    kind = KINDS.get(name)
    if kind is None:
        return None
    return from_plain(kind, {k: v for k, v in entry.items() if k != "kind"}, kind.__name__)
