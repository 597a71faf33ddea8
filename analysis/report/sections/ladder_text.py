"""The tables and the text of a ladder: published runs, single runs, and changes."""

from analysis.present.formatting import NONE, change, count, done_of_planned, ends, yes
from analysis.present.links import link, row_anchor
from analysis.present.style import recipe_title
from analysis.report.sections.section import Data, Picture, Section, Table


def show(data: Data) -> Section:
    rows, level = data["rows"], f"{data['level']:.0%}".replace("%", " %")
    test = Table(
        caption=f"Test misses; intervals of the mean at {level}, of one run at 95 %",
        columns=(
            "run",
            "#images",
            "#epochs",
            "#published",
            "#mean of as many",
            "#median",
            f"{level} interval",
            "one run, 95 %",
            "published inside",
            "#mean of all test images",
            "± seeds",
            "± test images",
            "#seeds",
        ),
        rows=tuple(_test_row(row) for row in rows),
    )
    train = Table(
        caption="Training misses; one run at 95 %",
        columns=("run", "#published", "#measured mean", "#of", "one run, 95 %", "published inside"),
        rows=tuple(
            (
                row["what"],
                count(row["published_train"]),
                count(row["train_mean"], 1),
                count(row["train_n"]),
                ends(row["train_one_run"]),
                yes(row["train_inside"]),
            )
            for row in rows
        ),
    )
    suspects = Table(
        caption=f"Against {_baseline(data)} on the same digits, paired by seed and test image",
        columns=(
            "recipe",
            "#test misses",
            "change of the test error",
            "#training misses",
            "#seeds",
        ),
        rows=tuple(
            (
                row["what"],
                f"{row['mean']:,.1f} of {row['n_test']:,}",
                change(row["change"]),
                count(row["train_mean"], 1),
                done_of_planned(row["seeds"], row["planned"]),
            )
            for row in data["suspects"]
        ),
    )
    name: str = data["id"]
    picture = Picture(
        name=name,
        alt="Measured test misses of each recipe, with the published misses over them",
        caption="Dots: one model each. Bars: 95 % of single runs on a fresh subset and as many"
        " random test images as the published run had. Black: mean with its interval."
        " Diamonds: published.",
    )
    return Section(
        title=data["title"],
        text=(_lead(data),),
        tables=(test, train, *([suspects] if data["suspects"] else [])),
        pictures=(picture,) if any(row["misses"] for row in rows) else (),
    )


def _baseline(data: Data) -> str:
    to = str(data["analysis"]["compare_to"])
    return "the recipe of 1989" if to == "1989" else f"the recipe “{recipe_title(to)}”"


def _test_row(row: Data) -> tuple[str, ...]:
    of_all = NONE if row["mean"] is None else f"{row['mean']:,.1f} of {row['n_test']:,}"
    return (
        row["what"],
        count(row["n_train"]),
        count(row["epochs"]),
        NONE if row["published"] is None else f"{row['published']} of {row['n_drawn']:,}",
        count(row["mean_drawn"], 1),
        count(row["median_drawn"], 1),
        ends(row["interval_drawn"], 1),
        ends(row["one_run"]),
        yes(row["inside"]),
        of_all,
        count(row["seed_half"], 1),
        count(row["test_half"], 1),
        done_of_planned(row["seeds"], row["planned"]) if row["planned"] else "not trained yet",
    )


def _lead(data: Data) -> str:
    judged = [row for row in data["rows"] if row["inside"] is not None]
    runs = {row["row"] for row in judged}
    if not judged:
        return "No published run can be compared: this needs two seeds of its cell, on its data."
    first, inside, n = judged[0], data["inside"], data["compared"]
    row = row_anchor(data["id"], 1 + data["rows"].index(first))
    text = (
        f"The published test result lies where 95 % of single runs would for {inside} of {n}"
        " recipes."
        if n > len(runs) == 1
        else f"{inside} of {n} published test results lie where 95 % of single runs would."
        if n > 1
        else f"The published test result {'lies' if inside else 'does not lie'} where 95 % of"
        " single runs would."
    )
    return (
        f"{text} “{first['what']}”: published {link(str(first['published']), row)} of"
        f" {first['n_drawn']:,}, measured {link(count(first['mean_drawn'], 1), row)} on average"
        f" over {first['seeds']} seeds ({link(ends(first['interval_drawn'], 1), row)}), in one run"
        f" {link(ends(first['one_run']), row)}."
    )
