"""Test models without misses: the report gives the bound that so many test images allow."""

import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import fill_study, measured
from truths import STUDIES, few

from analysis import load, report
from analysis.api import write_comparison
from analysis.compare.difference import unpaired_effect
from analysis.effects.paired import Resampler
from analysis.stats.bootstrap import crossed_bootstrap, summarise, zero_miss_limit
from analysis.stats.effective_data import data_multipliers
from analysis.stats.prediction_interval import prediction_interval
from scaling.data.selection import DatasetInfo
from scaling.engines.result import Evaluation, Score, Trained
from scaling.store.rows import metric_rows, prediction_row
from scaling.store.store import Store
from scaling.study import Cell, Grid, Study, plan, resolve

SIZES = (64, 128, 256, 512, 1024, 2048, 4096)
RECIPES = ("1989", "dropout_relu")
Rate = Callable[[str, int, int], float]  # of a recipe, size and seed


def fill(
    out: Path, rate: Rate, *, n_test: int, seeds: int, widths: tuple[float, ...] = (1,)
) -> Path:
    """Store a results folder of models that miss images at these rates."""
    info = DatasetInfo(name="mnist", version="1", n_train=60_000, n_test=n_test, n_val=10, note="n")
    grid = Grid(n_train=SIZES, recipe=RECIPES, epochs=(3,), width=widths, seeds=tuple(range(seeds)))
    study = Study(name="mine", question="How?", grids=(grid,))
    jobs = resolve(study, lambda _: (info.name, info))
    store = Store(out)
    store.check_writable()
    store.write_plan(plan(study, jobs, [1.0] * len(jobs), "scaling sweep mine.py --out here"))
    rng = np.random.default_rng(0)
    difficulty = rng.permutation((np.arange(n_test) + 0.5) / n_test)
    for job, member in [(of, member) for of in jobs for member in of.members]:
        error = rate(job.cell.recipe.name, job.cell.n_train, member.seed)
        wrong = difficulty < error * np.exp(rng.normal(0, 0.1))
        last = Evaluation(
            epoch=3,
            examples_seen=3 * job.cell.n_train,
            train=Score(loss=0.1, misses=0, n=job.cell.n_train),
            val=None,
            test=Score(loss=0.1, misses=int(wrong.sum()), n=n_test),
            wall_s=1.0,
            cpu_s=1.0,
        )
        trained = Trained(
            member=member,
            engine="reference",
            device="cpu",
            history=(last,),
            predicted=np.zeros(n_test, np.uint8),
            correct=~wrong,
            weights={},
        )
        store.write_model(metric_rows("mine", job.cell, trained), prediction_row(job.cell, trained))
    return out


def power(n: int) -> float:
    return min(0.9, 30 / n)


NONE: dict[str, Rate] = {
    "nowhere": lambda *_: 0.0,
    "from 256 on": lambda _r, n, _s: power(n) if n < 256 else 0.0,
    "at the largest": lambda _r, n, _s: power(n) if n < SIZES[-1] else 0.0,
    "at the smallest": lambda _r, n, _s: power(n) if n > SIZES[0] else 0.0,
    "one seed misses": lambda _r, n, s: power(n) if n < 512 or s == 0 else 0.0,
    "one seed does not": lambda _r, n, s: power(n) if s > 0 else 0.0,
    "the first recipe": lambda r, n, _s: 0.0 if r == RECIPES[0] else power(n),
    "the last recipe": lambda r, n, _s: 0.0 if r == RECIPES[1] else power(n),
}


def intervals(value: Any) -> Iterator[tuple[str, float | None, float | None, float | None]]:
    """Return every estimate among the numbers with the ends of its interval."""
    if isinstance(value, list):
        for item in value:
            yield from intervals(item)
    if not isinstance(value, dict):
        return
    for name in ("error", "change", "value", "times_fewer", "ratio"):
        if isinstance(value.get(name), dict):
            continue
        if name in value and "low" in value and "high" in value:
            yield name, value[name], value["low"], value["high"]
        elif name in value and isinstance(ends := value.get("interval"), list):
            yield name, value[name], *ends
    if isinstance(value.get("far"), dict) and value["limit"] is None:
        value = value | {"far": None}  # where all missed some, forms are what they are
    for name, ends in value.get("intervals", {}).items():
        yield name, value["params"][name], *ends
    for name, item in value.items():
        if name not in ("outlooks", "times", "holding"):  # not of this study
            yield from intervals(item)


def check(out: Path, numbers: dict[str, Any], text: str) -> None:
    for name, value, low, high in intervals(numbers):
        if value is not None:
            assert low is None or low <= value + 1e-9 * abs(value), (name, value, low, high)
            assert high is None or value <= high + 1e-9 * abs(high), (name, value, low, high)
        for end in (value, low, high):
            assert name in ("A", "B") or end is None or abs(end) < 1e9, (name, value, low, high)
    said = re.sub(re.escape(str(out)), "", text)
    assert not re.search(r"\b(nan|inf)\b", said)


def make(out: Path, name: str, n_test: int, seeds: int, **how: Any) -> dict[str, Any]:
    fill(out, NONE[name], n_test=n_test, seeds=seeds, **how)
    numbers = report(out)
    text = (out / "report.md").read_text()
    check(out, numbers, text)
    limit = zero_miss_limit(n_test, 0.9)
    for curve in numbers["curves"]:
        thin = any(np.mean(size["misses"]) < 1 for size in curve["sizes"])
        for size in curve["sizes"]:
            if not all(size["misses"]):
                assert size["high"] >= limit
            if not any(size["misses"]):
                assert (size["error"], size["low"]) == (0, 0)
        for fit in curve["fits"]:
            none = any(not all(size["misses"]) for size in curve["sizes"])
            if none and "E" in fit["intervals"]:
                assert fit["intervals"]["E"][0] == 0 or not thin
                assert fit["intervals"]["E"][1] >= limit
        if curve["sizes"][0]["error"] and not curve["sizes"][-1]["error"]:
            least = curve["fall"]["interval"][0]
            assert curve["fall"]["times_fewer"] is curve["fall"]["interval"][1] is None
            assert least <= curve["sizes"][0]["error"] / limit
    return numbers


@pytest.mark.parametrize(
    ("name", "n_test", "seeds"),
    [("from 256 on", 400, 3), ("nowhere", 10, 1), ("the first recipe", 400, 2)],
)
def test_the_report_says_no_more_than_the_test_images_allow(
    tmp_path: Path, name: str, n_test: int, seeds: int
) -> None:
    numbers = make(tmp_path, name, n_test, seeds)
    text = (tmp_path / "report.md").read_text()
    if name == "from 256 on":
        assert re.search(r"falls from [\d.]+ % to 0\.00 %, by a factor of at least \d\d", text)
        assert "no miss among 400 test images" in text
        assert "| at most 0.75 % |" in text
        assert "neither “2022 (all tricks)” nor “1989” misses any of 400 test images" in text
    if name == "nowhere":
        assert "the effect of more images cannot be determined" in text
        assert "7 sizes, too few with misses for a fit" in text
        assert not any(curve["fits"] for curve in numbers["curves"])
    if name == "the first recipe":
        comparison = numbers["comparison"]
        assert comparison["ratio"] is None
        assert comparison["interval"][0] > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", NONE)
@pytest.mark.parametrize(("n_test", "seeds"), [(10, 1), (30, 20), (400, 5), (2000, 2), (10_000, 1)])
def test_every_report_says_no_more_than_the_test_images_allow(
    tmp_path: Path, name: str, n_test: int, seeds: int
) -> None:
    make(tmp_path, name, n_test, seeds, widths=(1, 2) if seeds == 2 else (1,))


@pytest.mark.parametrize("other", ["nowhere", "at the largest"])
def test_a_comparison_of_folders_says_no_more(tmp_path: Path, other: str) -> None:
    fill(tmp_path / "a", NONE["from 256 on"], n_test=400, seeds=2)
    fill(tmp_path / "b", NONE[other], n_test=400, seeds=3)
    write_comparison(load(tmp_path / "a"), load(tmp_path / "b"))
    numbers = json.loads((tmp_path / "a" / "comparison_numbers.json").read_text())
    check(tmp_path, numbers, (tmp_path / "a" / "comparison.md").read_text())


def draw(rng: np.random.Generator, n_test: int, misses: list[int]) -> dict[int, np.ndarray]:
    found = {}
    for seed, count in enumerate(misses):
        found[seed] = np.zeros(n_test, bool)
        found[seed][rng.permutation(n_test)[:count]] = True
    return found


CELLS = st.tuples(
    st.integers(10, 10_000),
    st.lists(st.sampled_from([0, 0, 0, 1, 2, 5]), min_size=1, max_size=20),
    st.integers(0, 100),
)


@given(CELLS)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_an_interval_holds_its_error_and_is_no_tighter_than_the_images_allow(
    cell: tuple[int, list[int], int],
) -> None:
    n_test, misses, seed = cell
    wrong = draw(np.random.default_rng(seed), n_test, misses)
    found = summarise(wrong)
    assert 0 <= found.low <= found.error <= found.high <= 1
    if 0 in misses:
        assert found.high >= zero_miss_limit(n_test, 0.9)
    if sum(misses) < len(misses):  # less than one in the mean: replicates reach the limit too
        (drawn,) = crossed_bootstrap([[wrong]], replicates=2000)
        assert np.quantile(drawn, 0.95) > 0.85 * zero_miss_limit(n_test, 0.9)
    run = prediction_interval(misses, n_test)
    if run is not None and not any(misses):
        assert run.low == 0
        assert run.high >= 2


@given(CELLS, st.lists(st.sampled_from([0, 0, 1, 3, 8]), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_change_holds_its_estimate_and_has_no_end_from_nothing(
    cell: tuple[int, list[int], int], other: list[int]
) -> None:
    n_test, misses, seed = cell
    rng = np.random.default_rng(seed)
    base = measured(draw(rng, n_test, misses))
    later = measured(draw(rng, n_test, other), recipe="ce")
    shared = range(min(len(misses), len(other)))
    counts = [sum(missed[s] for s in shared) for missed in (misses, other)]
    effect = Resampler(replicates=200).change(base, later)
    assert effect is not None
    for found, (before, after) in (
        (effect, counts),
        (unpaired_effect(base, later, same_images=True), (sum(misses), sum(other))),
    ):
        assert found.low >= -1
        assert found.low <= found.value <= found.high or math.isnan(found.value)
        assert math.isnan(found.value) == (before == after == 0)
        assert math.isinf(found.high) or before
        assert found.low == -1 or after
        for p in (found.p_below(), found.p_above()):
            assert p is None or 0 <= p <= 1
        if before == 0 == after:
            assert found.p_below() in (None, 0.5)


def test_more_seeds_and_sizes_do_not_make_a_floor_of_nothing() -> None:
    """Twenty seeds at five sizes on the same 400 images bound the error as one model does."""
    none = {s: np.zeros(400, bool) for s in range(20)}
    (drawn,) = crossed_bootstrap([[none] * 5], replicates=4000)
    assert np.ptp(drawn, axis=1).max() == 0  # one draw for all, as they share their images
    assert np.quantile(drawn[:, 0], 0.95) == pytest.approx(zero_miss_limit(400, 0.9), rel=0.05)


def test_a_trick_without_a_miss_is_worth_at_least_something() -> None:
    rng = np.random.default_rng(0)
    base = np.array([0.2, 0.1, 0.05, 0.01]) * np.exp(rng.normal(0, 0.05, (500, 1)))
    trick = np.full((500, 2), 0.00125)
    found = data_multipliers(
        [64, 128, 256, 512], base, [64, 128], trick, limit=0.0075, none=[False, True]
    )
    unseen = found.multipliers[1]
    assert unseen.value is unseen.high is None
    assert unseen.low == unseen.limit == pytest.approx(512 / 128, rel=0.1)
    assert found.slope is None


@pytest.mark.slow
def test_every_study_says_no_more_than_its_test_images_allow(tmp_path: Path) -> None:
    """Show all sections and claims, where the modern recipes alone miss nothing."""
    for study in STUDIES.values():
        fill_study(tmp_path, study, none_with_tricks, seeds=range(2), only=few)
    numbers = report(tmp_path)
    check(tmp_path, numbers, (tmp_path / "report.md").read_text())
    sections = {data["study"]: data for data in numbers["sections"]}
    changes = [row["change"] for row in sections["ladder"]["suspects"] or sections["grid"]["rows"]]
    assert any(change and change["change"] == -1 for change in changes)


def none_with_tricks(cell: Cell) -> float:
    old = cell.recipe.name in ("1989", "ce", "scratch") and cell.n_train < 50_000
    return 0.02 if old else 0.0
