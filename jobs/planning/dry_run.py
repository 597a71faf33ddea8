"""Print the plan of `sweep --dry-run`: models to train, their cost here and on a cluster."""

import math
from collections.abc import Sequence

from jobs.planning.batches import MOST_SLOTS, Slots, dispatch_s, unfinished_jobs
from jobs.planning.cluster_forecast import Forecast, Price, forecast
from jobs.planning.cost import devices_of, plan_job
from jobs.planning.placement import OVERHEAD
from scaling import engines
from scaling.progress import duration
from scaling.store.store import State
from scaling.study import Job, Study

TIMES = (1, 2, 4)
UNUSED = {
    "cpu": ": GPUs would not make it quicker, leave them out",
    "cuda": ": cores would not make it quicker",
}


def dry_run(
    study: Study,
    jobs: Sequence[Job],
    state: State | None,
    *,
    engine: str | None,
    device: str,
    cpus: int | None,
) -> tuple[Job, ...]:
    """Print cells, models and core time on this machine; return the jobs that are unfinished."""
    rest = unfinished_jobs(jobs, state.finished if state else ())
    left = {job.cell: plan_job(job, devices_of(device)[0], engine) for job in rest}
    print(f"{'cell':58} models  to train  core time")
    for job in jobs:
        mine = left.get(job.cell)
        print(
            f"{job.cell.cell_id:58} {len(job.members):6}  {len(mine.job.members) if mine else 0:8}"
            f"  {duration(mine.seconds) if mine else '-':>9}"
        )
    seconds = sum(planned.seconds for planned in left.values())
    cores = cpus or engines.available_cores()
    print(
        f"{study.name}: {len(jobs)} cells, {sum(len(job.members) for job in jobs)} models;"
        f" {sum(len(job.members) for job in rest)} to train in about"
        f" {duration(seconds)} of core time, {duration(seconds / cores)} on {cores} cores"
    )
    return rest


def on_cluster(
    jobs: Sequence[Job], cluster: Slots, price: Price | None, engine: str | None, device: str
) -> list[str]:
    """Return lines on the cost on a cluster and on larger ones.

    Raises InputError where nothing on the cluster can train these jobs.
    """
    if not jobs:
        return [f"on {cluster}: nothing to train"]
    found = [forecast(jobs, cluster.times(times), engine, device) for times in TIMES]
    return [
        "",
        *_engines(found[0]),
        "",
        *_table(found, price),
        *_limits(found[0], price),
    ]


def _engines(found: Forecast) -> list[str]:
    """Return lines on the models of each engine, and the source of its microseconds."""
    us: dict[tuple[str, str], list[float]] = {}
    models: dict[tuple[str, str], int] = {}
    for batch in found.batches:
        for planned in batch.jobs:
            n, key = len(planned.job.members), (planned.engine, planned.device)
            train_us, _ = engines.us_per_example(planned.job.cell, n, *key)
            us.setdefault(key, []).append(train_us)
            models[key] = models.get(key, 0) + n
    lines = [f"{'engine':10}  on    models  us an example  by"]
    for (name, device), taken in us.items():
        low, high = f"{min(taken):.3g}", f"{max(taken):.3g}"
        span = low if low == high else f"{low} to {high}"
        source = engines.cost_source(name, device)
        lines.append(f"{name:10}  {device:4}  {models[name, device]:6,}  {span:>13}  {source}")
    return lines


def _table(found: Sequence[Forecast], price: Price | None) -> list[str]:
    money = f"  {'cost':>9}" if price else ""
    lines = [f"{'cluster':24} {'makespan':>10} batches  core hours  GPU hours{money}  limited by"]
    for f in found:
        paid = f"  {f.cost(price):9,.2f}" if price else ""
        lines.append(
            f"{f.cluster!s:24} {duration(f.schedule.makespan):>10}  {f.schedule.trials:6,}"
            f"  {_hours(f.work('cpu')):>10}  {_hours(f.work('cuda')):>9}{paid}"
            f"  {f.limit}"
        )
    return lines


def _limits(found: Forecast, price: Price | None) -> list[str]:
    """Return the assumptions of the table, a line each."""
    used = found.cluster.most()
    a_batch = OVERHEAD.trial + dispatch_s(used.cpu + used.gpu)
    lines = [
        f"with {OVERHEAD.start:g} s until the first batch trains and"
        f" {1000 * a_batch:.3g} ms a batch, nothing lost to other users;"
        " no time to bring up nodes"
    ]
    if found.cluster != used:
        lines.append(
            f"a sweep uses {MOST_SLOTS:,} cores or GPUs at most: run several side by side,"
            " each with seeds of its own"
        )
    if price:
        lines.append(
            f"cost: all of the cluster from start to end, at {price.cpu:g} a core hour and"
            f" {price.gpu:g} a GPU hour"
        )
    if found.cluster.gpu:
        lines.append(f"this is with --device {found.device}" + UNUSED.get(found.device, ""))
    longest = found.longest_model
    if longest:
        text = f"its longest model takes {duration(longest)}: no cluster is faster"
        core = found.work("cpu")
        if core and found.work("cuda") is None:
            text += f", and more than {math.ceil(core / longest):,} cores are of no use"
        lines.append(text)
    return lines


def _hours(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds / 3600:,.2f}"
