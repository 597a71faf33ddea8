"""Claims that rest on the ladder: the gain of each step of the write-up."""

import numpy as np

from analysis.claims.claim import BASE_SIZE, Evidence, NotRun, Outcome, claim, outcome
from analysis.effects.decision_rules import (
    CONTRADICTED,
    SUPPORTED,
    UNDECIDED,
    UNKNOWABLE,
    Judgement,
    all_of,
    helps,
    helps_a_lot,
    is_about,
    is_zero_or_less,
    no_gain,
)
from analysis.effects.paired import Effect
from analysis.results.cell_results import CellResult
from scaling.study import MODERN

THREE_DAYS = 259_200.0  # seconds, cited: LeCun et al. 1989
LAPTOP = 90.0  # seconds, cited: the write-up, on a laptop of 2020
CRUSHED = 0.1  # assumed: a training set is crushed where a tenth of its misses are left
PUBLISHED_CUT = 32 / 82 - 1  # cited: test misses of 2,007, from the first row to the last


def _step(evidence: Evidence, base: str, other: str) -> tuple[CellResult, CellResult, Effect]:
    cells = [evidence.cell("ladder", n_train=BASE_SIZE, recipe=name) for name in (base, other)]
    return cells[0], cells[1], evidence.change(*cells)


@claim(
    "C1",
    "Training the 1989 recipe takes 90 s on a 2020 laptop CPU against 3 days in 1989: about 3000x",
    study="ladder",
)
def c1(evidence: Evidence) -> Outcome:
    cell = evidence.cell("ladder", n_train=BASE_SIZE, recipe="1989")
    seconds = float(cell.models["cpu_s"].median())
    verdict = SUPPORTED if seconds <= LAPTOP else UNDECIDED
    return outcome(
        Judgement(verdict, None),
        "One training takes {seconds:.3g} s of one core (median of {runs}, evaluations included,"
        " engine {engine}): {times:,.0f} times less than three days, where {laptop:.0f} s are"
        " {published:,.0f} times less; `scaling bench` has the plain per-example loop of the"
        " write-up on the same machine.",
        seconds=seconds,
        runs=cell.n_seeds,
        engine=", ".join(sorted(set(cell.models["engine"]))),
        times=THREE_DAYS / seconds,
        laptop=LAPTOP,
        published=THREE_DAYS / LAPTOP,
    )


@claim(
    "C2",
    "A GPU is slower at batch size 1; giving up per-example SGD for full-batch training would win"
    " about another 100x",
    study="ladder",
)
def c2(evidence: Evidence) -> Outcome:
    models = evidence.results.models
    on_gpu = models[models["device"].astype(str).str.startswith("cuda")]
    if not len(on_gpu):
        return Outcome(verdict="undecided: not run", sentence="No model was trained on a GPU.")
    rest = models[~models.index.isin(on_gpu.index)]
    return outcome(
        Judgement(UNKNOWABLE, None),
        "Populations trained in lock-step on a GPU, with exact per-example updates, passed"
        " {gpu:,.0f} examples a second in all ({models:,} models), one CPU core {cpu:,.0f};"
        " a single model on a GPU and full-batch training are no part of a study.",
        gpu=float(on_gpu["examples_seen"].sum() / on_gpu["wall_s"].sum()),
        models=len(on_gpu),
        cpu=float(rest["examples_seen"].sum() / rest["cpu_s"].sum()) if len(rest) else np.nan,
    )


@claim(
    "C3",
    "Cross-entropy instead of MSE crushes the training set but does not by itself improve the"
    " test error",
    study="ladder",
)
def c3(evidence: Evidence) -> Outcome:
    base, other, change = _step(evidence, "1989", "ce")
    return outcome(
        all_of([_crushes(base, other), no_gain(change)]),
        "Training misses go from {train_from:.1f} to {train_to:.1f} of {n_train:,}; the test error"
        " changes by {change}.",
        change,
        train_from=float(np.mean(base.train_misses)),
        train_to=float(np.mean(other.train_misses)),
        n_train=BASE_SIZE,
        change=change,
    )


@claim("C4", "AdamW gives a slight further gain", study="ladder")
def c4(evidence: Evidence) -> Outcome:
    _, _, change = _step(evidence, "ce", "adamw")
    return outcome(helps(change), "The test error changes by {change}.", change, change=change)


@claim("C6", "One-pixel shift augmentation helps a lot", study="ladder")
def c6(evidence: Evidence) -> Outcome:
    _, _, change = _step(evidence, "adamw", "augment")
    return outcome(
        helps_a_lot(change), "The test error changes by {change}.", change, change=change
    )


@claim("C7", "Dropout with ReLU helps a lot; ReLU alone gives nothing", study="negative")
def c7(evidence: Evidence) -> Outcome:
    _, _, both = _step(evidence, "augment", MODERN)
    sentence = "With dropout and ReLU the test error changes by {both}"
    try:
        pair = [
            evidence.cell("negative", n_train=BASE_SIZE, recipe=name)
            for name in ("augment", "relu_alone")
        ]
        alone = evidence.change(*pair)
    except NotRun as missing:
        first = helps_a_lot(both)
        verdict = CONTRADICTED if first.verdict == CONTRADICTED else str(missing)
        half = f"{sentence}: {{verdict}} (the first half); ReLU alone: {missing}."
        return outcome(
            Judgement(verdict, first.p if verdict == CONTRADICTED else None),
            half,
            both,
            both=both,
            verdict=first.verdict,
        )
    return outcome(
        all_of([helps_a_lot(both), no_gain(alone)]),
        f"{sentence}, with ReLU alone by {{alone}}.",
        both,
        both=both,
        alone=alone,
    )


@claim(
    "C11",
    "All tricks together cut the error by about 60 percent at unchanged inference cost and almost"
    " 4x the training",
    study="ladder",
)
def c11(evidence: Evidence) -> Outcome:
    base, other, change = _step(evidence, "1989", MODERN)
    same = Judgement(SUPPORTED if base.n_macs == other.n_macs else CONTRADICTED, None)
    judged = is_about(change, PUBLISHED_CUT)
    return outcome(
        judged if same.verdict == SUPPORTED else same,
        "The test error changes by {change} (published: {published:+.1%}), at {macs:,}"
        " multiplications per example before and {macs_after:,} after, for {epochs:.1f} times the"
        " epochs and {seconds:.1f} times the seconds of training.",
        change,
        change=change,
        published=PUBLISHED_CUT,
        macs=base.n_macs,
        macs_after=other.n_macs,
        epochs=other.epochs / base.epochs,
        seconds=float(other.models["cpu_s"].median() / base.models["cpu_s"].median()),
    )


def _crushes(base: CellResult, other: CellResult) -> Judgement:
    """Test whether at most `CRUSHED` of the training misses are left: a paired t-test over seeds.

    Training images differ by seed, so seeds carry all of the noise.
    """
    seeds = sorted(set(base.wrong) & set(other.wrong))
    before, after = (
        cell.models.set_index("seed")["train_misses"].loc[seeds].to_numpy(float)
        for cell in (base, other)
    )
    return is_zero_or_less(after - CRUSHED * before)
