"""Show the table of claims, and the digits that the best recipe misses."""

from collections.abc import Sequence

from analysis.claims.claim import NOT_RUN
from analysis.effects.decision_rules import ALPHA, MARGIN
from analysis.present.formatting import NONE, p_value
from analysis.present.links import link, table_anchor
from analysis.report.sections.section import Data, Picture, Section, Table


def show_claims(claims: Sequence[Data]) -> Section:
    """Return the claims with their verdicts, figures and links to sections.

    Claims whose study was not run are grouped by the command that runs it.
    """
    tested = [row for row in claims if row["p"] is not None]
    hold = sum(row["holds_after_holm"] for row in tested)
    text = [
        "“Helps” is supported where the 90 % interval of the relative change of the error lies"
        f" below 0, “no gain” only where it lies within ±{100 * MARGIN:.0f} % or shows harm, “a"
        f" lot” where it lies below −{100 * MARGIN:.0f} %. The margin was set before the runs, the"
        " other rules during them (LOG.md)."
    ]
    if tested:
        counts = [link(str(n), table_anchor("claims")) for n in (len(tested), hold)]
        text.append(
            "p is two-sided and belongs to the verdict as printed. p (Holm) has Holm's correction"
            f" over the {counts[0]} claims with a test, of which {counts[1]} hold at"
            f" {100 * ALPHA:.0f} %."
        )
    judged, left = [], dict[str, list[Data]]()
    for row in claims:
        if row["verdict"].startswith(NOT_RUN):
            left.setdefault(row["verdict"].removeprefix(NOT_RUN), []).append(row)
        else:
            judged.append(row)
    rows = tuple(
        (
            row["id"],
            row["claim"],
            row["verdict"],
            (row["figure"] or NONE) + (_link(row["section"]) if row["section"] else ""),
            *((p_value(row["p"]), p_value(row["p_holm"])) if tested else ()),
        )
        for row in judged
    )
    columns = ("", "claim", "verdict", "rests on", *(("p", "p (Holm)") if tested else ()))
    tables = [Table(caption="Published claims", columns=columns, rows=rows, wraps=True)]
    if left:
        rows = tuple(
            (f"`{command}`", "; ".join(f"{row['id']} {row['claim']}" for row in mine))
            for command, mine in left.items()
        )
        columns = ("command", "for the claims")
        tables.append(Table(caption="Not run here", columns=columns, rows=rows, wraps=True))
    return Section(title="Claims", text=tuple(text), tables=tuple(tables))


def show_digits(data: Data) -> Section:
    """Return the digits that the best recipe misses, with label and prediction."""
    n = len(data["digits"])
    text = (
        f"“{data['title']}” with {data['n_train']:,} training images"
        f" misses {data['mean']:.1f} of {data['n_test']:,} on average over"
        f" {data['seeds']} seeds, the fewest here. {data['by_half']} digits are missed by at"
        f" least half of its models, {data['by_all']} by all of them."
    )
    picture = Picture(
        name="digits",
        alt="Test digits that the best recipe misses, each with its label and prediction",
        caption=f"The {n} digits that most models miss: label → most frequent wrong prediction.",
    )
    return Section(
        title="Digits that the best recipe misses",
        text=(text,),
        pictures=(picture,) if n else (),
    )


def _link(section: str) -> str:
    return f" {link(f'→ {section}', section)}"
