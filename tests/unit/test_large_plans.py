"""Test that planning many models hashes each name once, and takes seconds."""

import hashlib
import json
import pickle
import time
from dataclasses import asdict, replace
from pathlib import Path
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.planning.batches import Slots, unfinished_jobs
from jobs.planning.cost import plan_job
from jobs.planning.placement import place
from scaling import cell as cells
from scaling.cell import Member, as_plain, cell_identity, make_cell
from scaling.data import datasets
from scaling.recipes.registry import find_recipe
from scaling.store.store import Store
from scaling.study import Grid, Study, plan, resolve

RECIPE = find_recipe("ce")
CELL = make_cell(datasets.describe("mnist"), RECIPE, n_train=1000)
SECONDS = 8.0  # of CPU, for 100,000 models


def hashed(identity: object) -> str:
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@given(st.integers(0), st.floats(1e-9, 1e3), st.sampled_from([0, 0.0, 1e-4]))
def test_a_name_is_the_hash_of_cell_and_member(seed: int, lr: float, decay: float) -> None:
    """Its first part is hashed once for all members, which must not show."""
    member = Member(seed=seed, lr=lr, weight_decay=decay)
    identity = {"cell": cell_identity(CELL), "member": as_plain(member)}
    expected = f"mnist-n1000-w1-ce-e{RECIPE.epochs}-s{seed}-{hashed(identity)}"
    assert [CELL.run_id(member) for _ in range(2)] == [expected, expected]
    assert CELL.cell_id.endswith(hashed(cell_identity(CELL)))


def test_a_member_of_two_cells_has_a_name_in_each() -> None:
    """An integer counts as another rate than the equal float, as in the JSON of a plan."""
    other, same = replace(CELL, n_train=999), replace(CELL)
    member, equal = (Member(seed=0, lr=lr, weight_decay=0.0) for lr in (1, 1.0))
    first = CELL.run_id(member)
    assert other.run_id(member) != first == CELL.run_id(member) == same.run_id(member)
    assert member == equal
    assert CELL.run_id(equal) != first


def test_a_name_is_hashed_once_and_does_not_travel(monkeypatch: pytest.MonkeyPatch) -> None:
    cell, member = replace(CELL), Member(seed=0, lr=0.1, weight_decay=0.0)
    before = pickle.dumps((cell, member))
    counted = Mock(wraps=cells._canonical)
    monkeypatch.setattr(cells, "_canonical", counted)
    assert len({cell.run_id(member) for _ in range(9)} | {cell.cell_id}) == 2
    assert counted.call_count == 2
    assert pickle.dumps((cell, member)) == before
    assert (asdict(member), hash(cell)) == (as_plain(member), hash(CELL))


def planned_s(folder: Path, sizes: int, seeds: int) -> float:
    """Plan as a sweep does; return the CPU seconds."""
    grid = Grid(
        dataset=("strokes",),
        n_train=tuple(range(100, 100 + sizes)),
        n_test=(100,),
        recipe=("1989", "ce", "adamw", "augment"),
        seeds=tuple(range(seeds)),
    )
    study, store = Study(name="many", question="?", grids=(grid,)), Store(folder)
    began = time.process_time()
    jobs = resolve(study, datasets.find)
    planned = [plan_job(job, "cpu") for job in jobs]
    store.write_plan(plan(study, jobs, [each.seconds for each in planned]))
    batches = place(unfinished_jobs(jobs, set()), Slots(cpu=64))
    took = time.process_time() - began
    assert sum(batch.n_models for batch in batches) == 4 * sizes * seeds
    return took


def test_a_large_plan_is_read_like_a_small_one(tmp_path: Path) -> None:
    planned_s(tmp_path, sizes=251, seeds=1)
    (made,) = Store(tmp_path).read_plans().values()
    assert len(made["cells"]) == 1004
    text = (tmp_path / "studies" / "many.json").read_text(encoding="utf-8")
    assert text.count("\n") < 10, "nobody reads it, and indenting takes long"


@pytest.mark.slow
@pytest.mark.parametrize(("sizes", "seeds"), [(2_500, 10), (25_000, 1)])
def test_a_hundred_thousand_models_are_planned_in_seconds(
    tmp_path: Path, sizes: int, seeds: int
) -> None:
    took = planned_s(tmp_path, sizes, seeds)
    print(f"{4 * sizes:,} cells of {seeds}: {took:.1f} CPU s")
    assert took < SECONDS
