"""What `sweep --dry-run` prints: what there is to train, what it costs here and on a cluster."""

from collections.abc import Callable, Mapping, Sequence

from jobs.batches import remaining
from jobs.planning import DEVICE, OVERHEAD, Cluster, Forecast, Price, forecast
from scaling import engines
from scaling.progress import duration
from scaling.store import State
from scaling.study import Job, Study

TIMES = (1, 2, 4)


def dry_run(
    study: Study,
    jobs: Sequence[Job],
    cost: Callable[[Job], float],
    state: State | None,
    cpus: int | None,
) -> tuple[Job, ...]:
    """Print cells, models and core time on this machine; the jobs that are left to train."""
    rest = remaining(jobs, state.finished if state else ())
    left = {job.cell: job for job in rest}
    print(f"{'cell':58} models  to train  core time")
    for job in jobs:
        mine = left.get(job.cell)
        print(
            f"{job.cell.cell_id:58} {len(job.members):6}  {len(mine.members) if mine else 0:8}"
            f"  {duration(cost(mine)) if mine else '-':>9}"
        )
    seconds = sum(map(cost, rest))
    cores = cpus or engines.available_cores()
    print(
        f"{study.name}: {len(jobs)} cells, {sum(len(job.members) for job in jobs)} models;"
        f" {sum(len(job.members) for job in rest)} to train in about"
        f" {duration(seconds)} of core time, {duration(seconds / cores)} on {cores} cores"
    )
    return rest


def on_cluster(
    jobs: Sequence[Job], cluster: Cluster, price: Price | None, engine: str | None, device: str
) -> list[str]:
    """Lines that say what a cluster, and larger ones, would take. Raises InputError."""
    if not jobs:
        return [f"on {cluster}: nothing to train"]
    found = [forecast(jobs, cluster.times(times), engine, device) for times in TIMES]
    return [
        "",
        *_engines(found[0], engine),
        "",
        *_table(found, price),
        *_limits(found[0], price),
    ]


def _engines(found: Forecast, engine: str | None) -> list[str]:
    """What trains how much of it, and where its microseconds come from."""
    rows: dict[tuple[str, str], list[float]] = {}
    models: dict[tuple[str, str], int] = {}
    for kind, jobs in found.jobs.items():
        for job in jobs:
            n = len(job.members)
            key = (engines.choose(job.cell, engine, DEVICE[kind], n), kind)
            us, _ = engines.us_per_example(job.cell, n, engine, DEVICE[kind])
            rows.setdefault(key, []).append(us)
            models[key] = models.get(key, 0) + n
    lines = [f"{'engine':10}  on   models  us an example  by"]
    for (name, kind), found_us in rows.items():
        low, high = f"{min(found_us):.3g}", f"{max(found_us):.3g}"
        span = low if low == high else f"{low} to {high}"
        source = engines.figures_of(name, DEVICE[kind])
        lines.append(f"{name:10}  {kind}  {models[name, kind]:6,}  {span:>13}  {source}")
    return lines


def _table(found: Sequence[Forecast], price: Price | None) -> list[str]:
    money = f"  {'cost':>9}" if price else ""
    lines = [f"{'cluster':22} {'makespan':>10}  trials  core hours  GPU hours{money}  limited by"]
    for f in found:
        paid = f"  {f.cost(price):9,.2f}" if price else ""
        lines.append(
            f"{f.cluster!s:22} {duration(f.schedule.makespan):>10}  {f.schedule.trials:6,}"
            f"  {_hours(f.schedule.work, 'cpu'):>10}  {_hours(f.schedule.work, 'gpu'):>9}{paid}"
            f"  {f.limit}"
        )
    return lines


def _limits(found: Forecast, price: Price | None) -> list[str]:
    """What the table rests on."""
    lines = [
        f"with {OVERHEAD.start:g} s until the first trial trains and"
        f" {1000 * (OVERHEAD.trial + OVERHEAD.dispatch):g} ms a trial, nothing lost to other users;"
        " no time to bring up nodes"
    ]
    if price:
        lines.append(
            f"cost: all of the cluster from start to end, at {price.cpu:g} a core hour and"
            f" {price.gpu:g} a GPU hour"
        )
    if found.cluster.gpu and "gpu" not in found.schedule.work:
        lines.append("no GPU would train anything: leave them out")
    work = sum(found.schedule.work.values())
    if len(found.schedule.work) == 1 and found.longest_model:
        lines.append(
            f"its longest model takes {duration(found.longest_model)}: no cluster is faster, and"
            f" more than {max(1, round(work / found.longest_model)):,} slots are of no use"
        )
    elif found.longest_model:
        lines.append(
            f"its longest model takes {duration(found.longest_model)}: no cluster is faster"
        )
    return lines


def _hours(work: Mapping[str, float], kind: str) -> str:
    return f"{work[kind] / 3600:,.2f}" if kind in work else "-"
