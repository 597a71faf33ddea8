"""Claims that the ladder does not cover: negative results, the revisit, transfer, the best."""

import math
from collections import Counter

from analysis.claims.claim import BASE_SIZE, Evidence, NotRun, Outcome, claim, outcome
from analysis.effects.decision_rules import (
    SUPPORTED,
    all_of,
    halves,
    helps,
    is_worse,
    no_gain,
)
from analysis.reference.published import find_published
from analysis.results.cell_results import CellResult, require_one
from analysis.results.identity import USUAL
from analysis.stats.prediction_interval import prediction_interval
from scaling.study import MODERN

OF_BOTH = ("test_set_id", "split", "n_train", "batch_size")  # of a convnet and a transformer
REVISIT = {  # cited: recipe here -> misses of 2,007 where the unchanged recipe made 32
    "more_dropout": 28,
    "less_decay": 26,
    "label_smoothing": 26,
    "gelu": 28,
    "gelu_less_decay": 26,
}


@claim("C8", "Weight normalization does not help", study="negative")
def c8(evidence: Evidence) -> Outcome:
    other = evidence.cell("negative", recipe="weight_norm", n_train=BASE_SIZE)
    base = evidence.cell("negative", recipe=MODERN, n_train=BASE_SIZE, batch_size=other.batch_size)
    change = evidence.change(base, other)
    return outcome(
        no_gain(change), "With it the test error changes by {change}.", change, change=change
    )


@claim(
    "C9",
    "A micro-ViT of about the same parameters and FLOPs cannot match the convnet",
    study="negative",
)
def c9(evidence: Evidence) -> Outcome:
    """Compare both at the same batch size, each with its best setting on the test images."""
    vits = evidence.cells.find("negative", model="micro_vit", dataset="mnist")
    if not vits:
        raise NotRun("negative", begun="negative" in evidence.cells.studies)
    pairs = [
        (convnet, vit)
        for vit in vits
        for convnet in evidence.cells.find("negative", model=USUAL, dataset="mnist")
        if all(getattr(convnet, name) == getattr(vit, name) for name in OF_BOTH)
    ]
    if not pairs:
        raise NotRun("negative", begun=True)
    vit = min((pair[1] for pair in pairs), key=lambda cell: cell.error)
    convnet = min((one for one, other in pairs if other is vit), key=lambda cell: cell.error)
    change = evidence.change(convnet, vit)
    return outcome(
        is_worse(change),
        "In its place ({vit_params:,} parameters and {vit_macs:,} multiplications, against"
        " {params:,} and {macs:,}; batch {batch}) the test error changes by {change}.",
        change,
        vit_params=vit.n_params,
        vit_macs=vit.n_macs,
        params=convnet.n_params,
        macs=convnet.n_macs,
        batch=vit.batch_size,
        change=change,
    )


@claim(
    "C17",
    "2055: details of model loss augmentation and optimiser can still halve the error of today's"
    " models",
    study="best",
)
def c17(evidence: Evidence) -> Outcome:
    base = evidence.cell("best", recipe=MODERN)
    others = [
        cell
        for cell in evidence.cells.find("best", dataset="mnist", n_train=base.n_train)
        if cell.recipe != base.recipe and cell.split == base.split and cell.n_macs == base.n_macs
    ]
    if not others:
        raise NotRun("best", begun=True)
    name = min((cell.recipe for cell in others), key=lambda recipe: recipe != "best")
    other = require_one("best", [cell for cell in others if cell.recipe == name])
    change = evidence.change(base, other)
    return outcome(
        halves(change),
        "The best recipe found on validation images (“{recipe}”) changes the test error of the"
        " modern one by {change} at the same {macs:,} multiplications; a search cannot show that"
        " there is no better one.",
        change,
        recipe=other.recipe,
        change=change,
        macs=base.n_macs,
    )


@claim(
    "C20",
    "2055: nobody trains from scratch; a pretrained giant is asked or fine-tuned",
    study="transfer",
)
def c20(evidence: Evidence) -> Outcome:
    """Compare a network pretrained on MNIST, and fine-tuned, with one trained from scratch."""
    pairs = _by_size(evidence, "fine_tune")
    changes = [evidence.change(scratch, tuned) for scratch, tuned in pairs]
    judged = [helps(change) for change in changes]
    values: dict[str, object] = {"helps": Counter(j.verdict for j in judged)[SUPPORTED]}
    parts = []
    for i in sorted({0, len(pairs) - 1}):
        values |= {f"n_{i}": pairs[i][0].n_train, f"of_{i}": changes[i]}
        parts.append(f"by {{of_{i}}} with {{n_{i}:,}}")
    probes = _by_size(evidence, "linear_probe", needed=False)
    if probes:
        values |= {"n_probe": probes[-1][0].n_train, "probe": evidence.change(*probes[-1])}
        parts.append("a linear probe by {probe} with {n_probe:,}")
    return outcome(
        all_of(judged),
        "Fine-tuning in place of training from scratch helps at {helps} of {sizes} sizes: the test"
        " error on zip-code digits changes " + ", ".join(parts) + " images.",
        changes[-1],
        sizes=len(pairs),
        **values,
    )


def _by_size(
    evidence: Evidence, recipe: str, *, needed: bool = True
) -> list[tuple[CellResult, CellResult]]:
    """Return the cells from scratch and with `recipe`, by the number of training images."""
    sizes = {
        cell.n_train for cell in evidence.cells.find("transfer", dataset="usps", recipe=recipe)
    }
    found = [
        [
            evidence.cells.first("transfer", dataset="usps", recipe=r, n_train=n)
            for r in ("scratch", recipe)
        ]
        for n in sorted(sizes)
    ]
    pairs = [(scratch, other) for scratch, other in found if scratch and other]
    if needed and not pairs:
        raise NotRun("transfer", begun="transfer" in evidence.cells.studies)
    return pairs


@claim(
    "C21",
    "A 2025 revisit reports on one seed that changing one thing in the modern recipe improves"
    " its 32 misses: dropout 0.35 gives 28; weight decay 0.005 gives 26; label smoothing 0.02 gives"
    " 26; GELU gives 28; GELU with weight decay 0.005 gives 26",
    study="revisit",
    source="github.com/buzzillio/lecun1989-karpathy2022-revisit, 2025",
)
def c21(evidence: Evidence) -> Outcome:
    base = evidence.cell("revisit", recipe=MODERN, n_train=BASE_SIZE)
    judged, parts = [], []
    published = find_published(MODERN)
    values: dict[str, object] = {"before": published.test_misses}
    for recipe, misses in REVISIT.items():
        change = evidence.change(base, evidence.cell("revisit", recipe=recipe, n_train=BASE_SIZE))
        judged.append(helps(change))
        values |= {recipe: change, f"{recipe}_published": misses}
        parts.append(f"{recipe.replace('_', ' ')} {{{recipe}}}, {judged[-1].verdict}")
    strongest = min((j.p for j in judged if j.p is not None), default=math.nan)
    values["strongest"] = strongest
    sentence = "The test error changes: " + "; ".join(parts) + "."
    if run := prediction_interval(base.misses, base.n_test, published.n_test):
        within = sum(run.contains(misses) for misses in REVISIT.values())
        values |= {
            "low": run.low,
            "high": run.high,
            "n": run.n,
            "within": within,
            "of": len(REVISIT),
        }
        sentence += (
            " One run of the unchanged recipe makes {low} to {high} misses of {n:,} (95% prediction"
            " interval), which holds {within} of the {of} reported counts."
        )
        values["level"] = run.level
        sentence = sentence.replace("95%", "{level:.0%}")
    return outcome(all_of(judged), sentence, None, **values)
