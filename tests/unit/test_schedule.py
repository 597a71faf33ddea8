"""Test schedules against the bounds of list scheduling, and the dry run of a cluster."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.cli.main import main
from jobs.planning import placement
from jobs.planning.batches import Slots
from jobs.planning.cluster_forecast import Price, forecast, parse_cluster, parse_price
from jobs.planning.simulate import Overhead, simulate
from scaling.data.selection import DatasetInfo
from scaling.errors import InputError
from scaling.recipes.registry import find_recipe
from scaling.study import Job, make_cell, make_members

NONE = Overhead()
SECONDS = st.lists(st.floats(0.01, 100), min_size=1, max_size=40)
INFO = DatasetInfo(name="mnist", version="1", n_train=60_000, n_test=10_000, n_val=10_000)


def job(n_train: int, seeds: int, recipe: str = "1989") -> Job:
    found = find_recipe(recipe)
    cell = make_cell(INFO, found, n_train=n_train)
    return Job(cell=cell, members=make_members(found, range(seeds)), source="mnist")


@given(SECONDS, st.integers(1, 9))
def test_no_slot_works_more_than_it_can_and_none_idles_before_the_last_begins(
    seconds: list[float], slots: int
) -> None:
    found = simulate({"cpu": seconds}, {"cpu": slots}, NONE)
    total, longest = sum(seconds), max(seconds)
    assert found.trials == len(seconds)
    assert found.makespan >= max(total / slots, longest) * (1 - 1e-9)
    assert found.makespan <= (total / slots + longest) * (1 + 1e-9)


@settings(max_examples=60)
@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=6), st.integers(1, 3))
def test_the_longest_first_is_within_a_third_of_the_best(seconds: list[float], slots: int) -> None:
    """Graham 1969: at most 4/3 - 1/(3 slots) times the best of all assignments."""
    best = min(
        max(
            sum(s for s, mine in zip(seconds, where, strict=True) if mine == slot)
            for slot in range(slots)
        )
        for where in product(range(slots), repeat=len(seconds))
    )
    found = simulate({"cpu": seconds}, {"cpu": slots}, NONE).makespan
    assert best * (1 - 1e-9) <= found <= (4 / 3 - 1 / (3 * slots)) * best * (1 + 1e-9)


@given(SECONDS, SECONDS, st.integers(1, 5), st.integers(1, 5))
def test_one_driver_starts_the_trials_of_every_kind(
    on_cpu: list[float], on_gpu: list[float], cpu: int, gpu: int
) -> None:
    overhead = Overhead(start=3.0, trial=0.5, dispatch=0.25)
    found = simulate({"cpu": on_cpu, "gpu": on_gpu}, {"cpu": cpu, "gpu": gpu}, overhead)
    assert found.trials == len(on_cpu) + len(on_gpu)
    assert found.makespan >= 3 + 0.25 * found.trials
    assert found.makespan >= 3 + max(*on_cpu, *on_gpu)
    each = 3 + (sum(on_cpu) + 0.75 * len(on_cpu)) / cpu - 0.5  # but for the last idling
    assert found.makespan >= each * (1 - 1e-9)


def test_two_slots_by_hand() -> None:
    """7, 5, 4, 3 on two slots: 7 + 3 and 5 + 4; a driver of 1 s a trial delays each start."""
    assert simulate({"cpu": [3, 4, 5, 7]}, {"cpu": 2}, NONE).makespan == 10
    slow = Overhead(start=2, trial=0.5, dispatch=1)
    assert simulate({"cpu": [3, 4, 5, 7]}, {"cpu": 2}, slow).makespan == 14.5  # 3 + 7, 0.5, 1, 3
    assert simulate({"cpu": []}, {"cpu": 2}, NONE).makespan == 0


def test_more_nodes_are_quicker_until_one_model_is_all_that_is_waited_for() -> None:
    jobs = (job(7291, 60), job(50_000, 4, "dropout_relu"))
    found = [forecast(jobs, Slots(cpu=n), None, "cpu") for n in (4, 16, 256)]
    spans = [f.schedule.makespan for f in found]
    assert spans == sorted(spans, reverse=True)
    assert found[0].limit == "work"
    assert found[-1].limit == "longest batch"
    least = placement.OVERHEAD.start + found[-1].longest_model
    assert least < spans[-1] < least + 64 * 0.05
    assert found[0].cost(Price(cpu=3600.0)) == pytest.approx(4 * spans[0])


def test_more_nodes_do_not_make_the_driver_slower() -> None:
    """8,000 batches for 2,000 slots would keep it busy for longer than all the work."""
    jobs = (job(911, 10_000),)
    fewer, more = (forecast(jobs, Slots(cpu=n), None, "cpu").schedule for n in (200, 2000))
    assert more.makespan < 1.05 * fewer.makespan
    assert more.trials * placement.OVERHEAD.dispatch < more.makespan / 2 + placement.OVERHEAD.start


def test_a_study_uses_what_makes_it_quicker() -> None:
    jobs = (job(7291, 3000),)
    alone, both, gpus = (
        forecast(jobs, Slots(cpu=32, gpu=gpu), None, device)
        for gpu, device in ((0, "cpu"), (8, "cpu"), (8, "cuda"))
    )
    assert [f.device for f in (alone, both, gpus)] == ["cpu", "auto", "cuda"]
    assert both.schedule.makespan < min(alone.schedule.makespan, gpus.schedule.makespan)
    assert alone.work("cuda") is None is gpus.work("cpu")
    models = [sum(b.n_models for b in f.batches) for f in (alone, both, gpus)]
    assert models == [3000] * 3
    with pytest.raises(InputError, match="nothing on 8 CPUs trains this study"):
        forecast(jobs, Slots(cpu=8), None, "cuda")
    with pytest.raises(InputError, match=r"nothing on 8 GPUs .* with engine compiled"):
        forecast(jobs, Slots(gpu=8), "compiled", "cpu")
    assert forecast(jobs, Slots(cpu=8, gpu=8), "compiled", "cpu").device == "cpu"


@pytest.mark.parametrize("text", ["", "64", "cpu", "64 tpu", "64 cpu, 8 cpu", "-1 cpu", "0 gpu"])
def test_a_cluster_that_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"--cluster '.*expected"):
        parse_cluster(text)


def test_clusters_and_prices_are_read_as_said() -> None:
    assert parse_cluster("64 cpu, 8 gpu") == parse_cluster("8gpus,64cpus") == Slots(cpu=64, gpu=8)
    assert str(parse_cluster("1_000 cpu").times(2)) == "2,000 CPUs"
    assert parse_price("0.04 cpu, 1.2 gpu") == Price(cpu=0.04, gpu=1.2)
    assert parse_price(".5 gpu") == Price(gpu=0.5)
    with pytest.raises(InputError, match=r"--price '1 eur': expected .*'0.04 cpu, 1.2 gpu'"):
        parse_price("1 eur")


@pytest.mark.usefixtures("no_data")
def test_a_dry_run_says_what_a_cluster_takes(capsys: pytest.CaptureFixture[str]) -> None:
    words = "sweep quickstart --dry-run --dataset strokes --seeds 1000 --n-train 200 --cluster"
    assert main([*words.split(), "64 cpu, 8 gpu", "--price", "0.04 cpu, 1.2 gpu"]) == 0
    out = capsys.readouterr().out
    for line in (
        "\n64 CPUs and 8 GPUs ",
        "\n256 CPUs and 32 GPUs ",
        "measured, one core",
        "its longest model",
    ):
        assert line in out
    assert main([*words.split(), "64 cpu"]) == 0
    assert "cost" not in capsys.readouterr().out.split("makespan")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cluster", "4 cpu"], "say --dry-run"),
        (["--dry-run", "--price", "1 cpu"], "say --cluster"),
        (["--dry-run", "--cluster", "four"], "as in '64 cpu, 8 gpu'"),
        (["--dry-run", "--cluster", "4 cpu", "--price", "1"], "as in '0.04 cpu, 1.2 gpu'"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", "quickstart", "--out", "x", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
