"""Claims about scale: passes, data, width."""

from typing import Any

from analysis.claims.claim import BASE_SIZE, FULL_SIZE, Evidence, NotRun, Outcome, claim, outcome
from analysis.effects.decision_rules import all_of, any_of, helps, no_gain
from analysis.results.cell_results import CellResult
from scaling.study import MODERN

PASSES = (20, 40, 80)  # of the study's: nearest to 23, 46 and 80
LONG = 160  # epochs of 7,291 images that are about as many updates as 23 of 50,000


@claim(
    "C5",
    "More passes alone in the original setting give no substantial gain",
    study="epochs",
)
def c5(evidence: Evidence) -> Outcome:
    where: dict[str, Any] = {"recipe": "1989", "n_train": BASE_SIZE, "split": "tune"}
    few, some, many = (evidence.cell("epochs", epochs=epochs, **where) for epochs in PASSES)
    doubled, quadrupled = evidence.change(few, some), evidence.change(few, many)
    return outcome(
        all_of([no_gain(doubled), no_gain(quadrupled)]),
        "From {few} to {some} epochs the test error changes by {doubled}, to {many} by"
        " {quadrupled}.",
        quadrupled,
        few=few.epochs,
        some=some.epochs,
        many=many.epochs,
        doubled=doubled,
        quadrupled=quadrupled,
    )


@claim(
    "C10",
    "Residual connections and layer or batch normalization help mostly at larger scale",
    study="norms",
)
def c10(evidence: Evidence) -> Outcome:
    """Judge the mean effect of the variants at the largest width, and relative to the smallest."""
    widths, variants = _variants(evidence)
    small, large = widths[0], widths[-1]
    at = {
        width: [
            term
            for name in variants
            for term in (
                (1 / len(variants), evidence.cell("norms", recipe=name, width=width)),
                (-1 / len(variants), evidence.cell("norms", recipe=MODERN, width=width)),
            )
        ]
        for width in (small, large)
    }
    here, there = (evidence.effect(at[width], "norms") for width in (small, large))
    more = evidence.effect([*at[large], *((-c, cell) for c, cell in at[small])], "norms")
    return outcome(
        all_of([helps(there), helps(more)]),
        "Over {variants} variants ({names}) the test error changes on average by {here} at width"
        " {small:g} and by {there} at width {large:g}; the second relative to the first: {more}.",
        more,
        variants=len(variants),
        names=", ".join(variants),
        small=small,
        large=large,
        here=here,
        there=there,
        more=more,
    )


def _variants(evidence: Evidence) -> tuple[list[float], list[str]]:
    """Return the widths and variants with cells of both the variant and dropout_relu."""
    evidence.cell("norms", recipe=MODERN)
    cells = evidence.cells.find("norms", dataset="mnist")
    bases = {cell.width for cell in cells if cell.recipe == MODERN}
    widths_of: dict[str, set[float]] = {}
    for cell in cells:
        if cell.recipe != MODERN and cell.width in bases:
            widths_of.setdefault(cell.recipe, set()).add(cell.width)
    shared = sorted(set.intersection(*widths_of.values())) if widths_of else []
    if len(shared) < 2:
        raise NotRun("norms", begun=True)
    return shared, list(widths_of)


@claim(
    "C12",
    "Seven times the data alone helps (82 to 55) and with the tricks gives the best result (25)",
    study="ladder",
)
def c12(evidence: Evidence) -> Outcome:
    old, new = (evidence.cell("ladder", recipe="1989", n_train=n) for n in (BASE_SIZE, FULL_SIZE))
    modern, best = (
        evidence.cell("ladder", recipe=MODERN, n_train=n) for n in (BASE_SIZE, FULL_SIZE)
    )
    plain, tricks = evidence.change(old, new), evidence.change(modern, best)
    values: dict[str, object] = {
        "n_from": BASE_SIZE,
        "n_to": FULL_SIZE,
        "from_epochs": old.epochs,
        "to_epochs": new.epochs,
        "plain": plain,
        "tricks": tricks,
    }
    sentence = (
        "From {n_from:,} to {n_to:,} images the test error of 1989 changes by {plain}, while its"
        " epochs go from {from_epochs} to {to_epochs}; with all tricks, at equal epochs, by"
        " {tricks}."
    )
    parts = [helps(plain), helps(tricks)]
    try:
        split, more = _data_or_updates(evidence, old)
    except NotRun as missing:
        sentence += f" How much of it is more updates: {missing}."
    else:
        sentence += split
        values |= more
        parts.append(helps(more["data"]))  # type: ignore[arg-type]
    return outcome(all_of(parts), sentence, plain, **values)


def _data_or_updates(evidence: Evidence, old: CellResult) -> tuple[str, dict[str, object]]:
    """Return a sentence on the step of 1989 to 100 epochs of 50,000 images, and its values."""
    full: dict[str, Any] = {"recipe": "1989", "n_train": FULL_SIZE, "split": "none"}
    short, long = (evidence.cell("epochs", epochs=epochs, **full) for epochs in (old.epochs, 100))
    values: dict[str, object] = {
        "data": evidence.change(old, short),
        "updates": evidence.change(short, long),
        "short_epochs": short.epochs,
        "long_epochs": long.epochs,
    }
    sentence = (
        " More images at {short_epochs} epochs of both (so more updates too) change it by {data},"
        " from there {long_epochs} epochs by {updates}."
    )
    longer = evidence.cells.first(
        "epochs", recipe="1989", n_train=BASE_SIZE, epochs=LONG, split="tune", dataset="mnist"
    )
    if longer is not None:
        values |= {
            "alone": evidence.change(longer, short),
            "million_small": longer.epochs * longer.n_train / 1e6,
            "million_large": short.epochs * short.n_train / 1e6,
        }
        sentence += (
            " At about equal updates ({million_small:.2f} and {million_large:.2f} million) more"
            " images alone change it by {alone}."
        )
    return sentence, values


@claim("C13", "A larger network would help further but costs inference time", study="width")
def c13(evidence: Evidence) -> Outcome:
    base = evidence.cell("width", recipe=MODERN, width=1.0)
    same: dict[str, Any] = {"recipe": MODERN, "n_train": base.n_train}
    found = evidence.cells.find("width", dataset="mnist", **same)
    widths = sorted({cell.width for cell in found if cell.width > 1})
    if not widths:
        raise NotRun("width", begun=True)
    wider = [evidence.cell("width", width=width, **same) for width in widths]
    changes = [evidence.change(base, cell) for cell in wider]
    values: dict[str, object] = {"n_train": base.n_train}
    parts = []
    for i, (cell, change) in enumerate(zip(wider, changes, strict=True)):
        values |= {
            f"width_{i}": cell.width,
            f"macs_{i}": cell.n_macs / base.n_macs,
            f"of_{i}": change,
        }
        parts.append(
            f"at width {{width_{i}:g}}, for {{macs_{i}:.1f}} times the multiplications,"
            f" by {{of_{i}}}"
        )
    old = evidence.cells.first("width", dataset="mnist", recipe="1989", width=wider[-1].width)
    old_base = evidence.cells.first("width", dataset="mnist", recipe="1989", width=1.0)
    if old and old_base and (of_old := evidence.resampler.change(old_base, old)):
        values["old"] = of_old
        parts.append("that of 1989 at this width by {old}")
    return outcome(
        all_of([any_of([helps(change) for change in changes])]),
        "With {n_train:,} images the test error of all tricks changes " + "; ".join(parts) + ".",
        changes[-1],
        **values,
    )
