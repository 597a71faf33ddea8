"""Run worlds from seeds: nothing that was stored is lost, doubled or changed, whatever fails."""

from collections.abc import Iterator

import pytest

from .plants import NEEDS, PLANTS, planted
from .simulation import Outcome, Setting, installed, simulate

PARTS, SEEDS = 4, 500  # in the default suite
OF_A_PLANT = 200  # seeds within which a planted bug is found


@pytest.fixture(scope="module", autouse=True)
def _simulated() -> Iterator[None]:
    with installed():
        yield


def message(outcome: Outcome) -> str:
    """Return what did not hold, how to replay it, and the whole schedule."""
    faults = "\n".join(outcome.faults)
    replay = f"python -m tests.simulation --seed {outcome.seed}"
    return f"seed {outcome.seed}: {faults}\nreplay: {replay}\n{outcome.text()}"


@pytest.mark.parametrize("part", range(PARTS))
def test_no_seed_loses_doubles_or_changes_a_row(part: int) -> None:
    for seed in range(part * SEEDS, (part + 1) * SEEDS):
        outcome = simulate(seed)
        assert not outcome.faults, message(outcome)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_none_of_100_000_seeds_does() -> None:
    """Beyond those of the default suite; `python -m tests.simulation` runs any others."""
    for seed in range(PARTS * SEEDS, 100_000):
        outcome = simulate(seed)
        assert not outcome.faults, message(outcome)


def test_a_seed_replays_to_the_byte() -> None:
    for seed in range(20):
        assert simulate(seed).text() == simulate(seed).text()


def test_seeds_differ_and_all_kinds_of_faults_strike() -> None:
    outcomes = [simulate(seed) for seed in range(150)]
    rare = [simulate(seed, Setting(bucket=True, kinds=("full",))) for seed in range(20)]
    text = "\n".join(outcome.text() for outcome in [*outcomes, *rare])
    assert len({outcome.text() for outcome in outcomes}) == len(outcomes)
    for struck in (
        *("input/output error", "the answer is lost", "no space left", "quota is used up"),
        *("with a flipped bit", "flips at rest", "s ago", "the worker is killed"),
        *("the worker hangs", "is cut off", "the driver is killed", "power is lost"),
        *("Ctrl-C", "head is lost", "another sweep is writing", "another command"),
        *("models in", "it is now", "given up", "weights are not finite"),
        *("low on memory", "trained again alone", "for a worker: Ray finds no"),
    ):
        assert struck in text, struck


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_bug_is_found(plant: str) -> None:
    with planted(plant):
        setting = Setting(kinds=NEEDS.get(plant))
        found = (seed for seed in range(OF_A_PLANT) if simulate(seed, setting).faults)
        assert next(found, None) is not None


def test_the_message_of_a_fault_names_seed_schedule_and_replay() -> None:
    with planted("compaction deletes first"):
        outcome = next(o for o in map(simulate, range(OF_A_PLANT)) if o.faults)
    said = message(outcome)
    assert f"python -m tests.simulation --seed {outcome.seed}\n" in said
    assert outcome.faults[0] in said
    assert "driver1" in said


def test_two_drivers_of_a_bucket_report_each_other() -> None:
    """One at its beginning, the other when it renews its object."""
    setting = Setting(bucket=True, kinds=(), commands=("one", "two"), epoch_s=90.0)
    both = 0
    for seed in range(20):
        lines = simulate(seed, setting).schedule
        told = {line.split()[1] for line in lines if "warning: another command (sweep of" in line}
        both += len(told) == 2
    assert both


def test_a_dead_driver_of_a_bucket_is_forgotten() -> None:
    setting = Setting(bucket=True, kinds=("killed_drivers",), commands=("one", "one"))
    outcomes = [simulate(seed, setting) for seed in range(20)]
    assert not [fault for outcome in outcomes for fault in outcome.faults]
    assert any("driver is killed" in o.text() and "delete drivers/" in o.text() for o in outcomes)
