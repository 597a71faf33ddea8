"""Test the table of outside figures: readable, with sources, equal to the reference."""

import csv
import math
import os
from pathlib import Path

import pytest

from analysis.reference.facts import fact, facts

OWN = {"mnist_test_label_errors"}  # not in the reference: from its paper
MEDIANS = "backtest33_median_"  # in the reference they stand in the coverages' unit


def test_every_fact_has_a_unit_and_a_source() -> None:
    assert len(facts()) > 30
    assert all(found.unit and found.source for found in facts().values())
    for found in facts().values():
        if found.low is not None and found.high is not None:
            assert found.low < found.value < found.high


def test_growth_is_in_orders_of_magnitude_a_year() -> None:
    assert fact("trend_params_vision_ours", "2010-2026").rate.value == 0.289
    doubling = fact("trend_gpu_price_perf").rate
    assert doubling.value == pytest.approx(math.log10(2) / 2.46)
    assert doubling.low is not None
    assert doubling.high is not None
    assert doubling.low < doubling.value < doubling.high  # the shorter time is the faster
    halving = fact("trend_algo_vision").rate
    assert 10 ** (halving.value * 0.75) == pytest.approx(2)  # 9 months
    with pytest.raises(ValueError, match="no rate of growth"):
        _ = fact("params").rate
    with pytest.raises(KeyError, match="0 facts are nothing of any year"):
        fact("nothing")
    with pytest.raises(KeyError, match="2 facts"):
        fact("trend_params_vision_ours")


def test_the_table_agrees_with_the_reference() -> None:
    folder = os.environ.get("SCALING_REFERENCE_DIR", "")
    if not (folder and Path(folder).is_dir()):
        pytest.skip("needs the reference facts: SCALING_REFERENCE_DIR names no folder")
    with (Path(folder) / "facts.csv").open(newline="") as file:
        reference = {(row["quantity"], row["year"]): row for row in csv.DictReader(file)}
    for key, found in facts().items():
        if found.quantity in OWN:
            continue
        if found.quantity.startswith(MEDIANS):
            row = reference[found.quantity.replace("median", "coverage"), found.year]
            assert f"median error +{found.value:g} OOM" in row["unit"], key
            continue
        row = reference[key]
        assert found.value == float(row["value"]), key
        assert row["source"] in ("same", "same table", found.source), key
        for end in (found.low, found.high):
            assert end is None or f"{end:g}" in row["unit"], key
        if not found.quantity.startswith("backtest"):  # whose unit goes on to say the median
            assert row["unit"].startswith(found.unit.partition(" (")[0]), key
