"""The command `bench`: how fast the engines are here, as a table for people or as JSON."""

import argparse
import json
import os
import platform
import re
import statistics
import tempfile
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.cli.arguments import add_several, whole
from scaling.data.selection import Examples, to_unit_range
from scaling.engines import DEVICES, available_cores, compiled
from scaling.errors import InputError
from scaling.progress import Progress
from scaling.store.record_schema import BENCH
from scaling.store.store import Store

if TYPE_CHECKING:
    from scaling.bench.steps import Effort, Row

FIRST_CALLS = 2  # new processes of each engine and recipe
WORKERS_ROUNDS, WORKERS_S = 7, 0.5
DIGITS = 3  # significant, of every number: the rounds differ in the second
# The work of other processes in rounds of steps, for the progress line (measured: 0.3 s a round).
FIRST_CALL_ROUNDS, WORKERS_AS_ROUNDS = 6, 30

FIRST_CALL_WIDTH = 1
GPU_MEMBERS = (1, 64, 1024, 4096)


def add_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--ray", action="store_true", help="also a sweep's overhead, on a local Ray")
    p.add_argument("--device", choices=DEVICES, default="cpu", help="of the populations")
    members = "of its populations (32; on a GPU 1 64 1024 4096)"
    add_several(p, "--members", whole, "K", help=members)
    p.add_argument("--out", metavar="DIR", help="write DIR/bench.json")
    p.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Measure microseconds an example of each engine, beside plain PyTorch and the FLOP floor."""
    out = _writable(args.out) if args.out else None
    if args.device == "cuda":
        from scaling.engines.reference import check_device

        check_device(args.device)
    chosen = replace(effort(), device=args.device)
    if args.device == "cuda":  # one width: the question is how many models it takes
        chosen = replace(chosen, widths=(1,), members=GPU_MEMBERS)
    if args.members:
        chosen = replace(chosen, members=tuple(args.members))
    rows = measured(chosen, ray=args.ray)
    if out:
        Store(out).write_json(BENCH, rows)
    print(json.dumps(rows, indent=1, allow_nan=False) if args.json else table(rows))
    return 0


def effort() -> "Effort":
    """Return the work to measure: three minutes on two cores, and one to compile the first time."""
    from scaling.bench.steps import Effort  # torch takes seconds to import

    return Effort()


def measured(effort: "Effort", *, ray: bool) -> list[dict[str, Any]]:
    """Return the rows of the contract with all other measurements beside them."""
    from scaling.bench.floor import fastest_fma
    from scaling.bench.steps import RECIPES, measure

    fma = fastest_fma() if compiled.unavailable() is None else None
    engines = 3 if fma else 2
    rounds = len(RECIPES) * len(effort.widths) * effort.rounds
    others = len(RECIPES) * engines * FIRST_CALLS * FIRST_CALL_ROUNDS + WORKERS_AS_ROUNDS
    with Progress("bench", rounds + others) as bar:
        rows = [_plain(row) for row in measure(_digits(), fma, effort, bar.advance)]
        _add_processes(rows, bar)
    for row in rows:
        row["machine"] = machine(effort.device)
    if ray:
        from jobs.execution import overhead

        found = overhead.measure(rows[0]["us"])
        rows[0] |= {f"sweep_{key}": _rounded(value) for key, value in found.items()}
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a table; below it, a line for each figure that was measured once."""
    lines = [
        rows[0]["machine"],
        "us: microseconds of CPU time an example and model, median (and range) of"
        f" {rows[0]['rounds']} rounds",
        f"{'engine':10} {'recipe':13}width models {'us':>7} {'(range)':>15} {'loop us':>9}"
        f" {'ratio':>6} {'floor us':>9} {'x floor':>8} {'evaluate us':>12} {'first call s':>13}",
    ]
    for row in rows:
        low, high = row["us_range"]
        lines.append(
            f"{row['engine']:10} {row['recipe']:13}{row['width']:5} {row['members']:6}"
            f" {_text(row['us']):>7} {f'({_text(low)}-{_text(high)})':>15}"
            f" {_text(row['loop_us']):>9} {_text(row['ratio']):>6}"
            f" {_text(row['floor_us']):>9} {_text(row['floor_ratio']):>8}"
            f" {_text(row['evaluate_us']):>12} {_text(row['first_call_s']):>13}"
        )
    first = rows[0]
    if first["floor_us"]:
        speed = first["step_flop"] / first["floor_us"] / 1000
        lines.append(f"floor: multiply-adds in registers, {speed:.0f} GFLOP/s on one core")
    else:
        lines.append("no floor and no compiled engine: numba cannot be used here")
    for row in filter(lambda row: row["workers_ratio"], rows):
        low, high = row["workers_range"]
        lines.append(
            f"2 worker processes train {_text(row['workers_ratio'])}x as much as 1"
            f" ({_text(low)}-{_text(high)})"
        )
    if "sweep_overhead" in first:
        lines += _ray_lines({k.removeprefix("sweep_"): v for k, v in first.items()})
    return "\n".join(lines)


def _ray_lines(found: dict[str, Any]) -> list[str]:
    """Return the cost of Ray in words."""
    low, high = found["running_range"]
    return [
        f"sweeps on a local Ray of {found['slots']} slots (load average {_text(found['load'])}"
        " before):",
        f"  {found['trials']} trials of {_text(found['trial_s'])} s: {found['running']:.1%}"
        f" ({low:.1%} to {high:.1%}) overhead once they train, {found['overhead']:.1%} with the"
        f" {_text(found['start_s'])} s before; on one slot {found['one_slot_running']:.1%};"
        f" of {_text(found['short_trial_s'])} s: {found['short_running']:.1%}",
        f"  {found['slots']} slots train {_text(found['gain'])}x as much as 1",
        f"  {found['tiny_cells']:,} tiny cells: {_text(found['tiny_wall'])} s, a plain loop"
        f" {_text(found['tiny_loop'])} s and {_text(found['tiny_stored'])} s with storing:"
        f" {_text(1000 * found['tiny_cell'])} ms of a slot a cell, {found['tiny_share']:.0%}",
        f"  a batch takes the driver {_text(found['driver_batch_ms'])} ms of its core and"
        f" {_text(found['driver_batch_kb'])} kB that stay",
        f"  most memory: driver {_text(found['driver_mb'])} MB, Ray's head"
        f" {_text(found['head_mb'])} MB",
    ]


def machine(device: str) -> str:
    """Return the name of the processor, the number of its cores and the versions that matter."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")  # Linux
    if cpuinfo.exists():
        found = re.search(
            r"^model name\s*: (.+)$",
            cpuinfo.read_text(encoding="utf-8", errors="replace"),
            re.MULTILINE,
        )
        name = found[1] if found else name
    numba = compiled.unavailable() or f"numba {version('numba')} for {_target()}"
    if device == "cuda":
        import torch

        name = f"{torch.cuda.get_device_name()} beside {name}"
    return f"{name}, {available_cores()} cores; torch {version('torch')}, {numba}"


def _target() -> str:
    """Return the processor that numba compiles for."""
    from llvmlite import binding

    return os.environ.get("NUMBA_CPU_NAME") or str(binding.get_host_cpu_name())


def _digits() -> Examples:
    """Return the first digits of the data set strokes, which need no file."""
    from scaling.bench.rounds import MAX_EXAMPLES
    from scaling.data import strokes  # numba takes a quarter of a second to import

    x, y = strokes.render(strokes.TRAIN_START, MAX_EXAMPLES)
    return Examples(x=to_unit_range(x), y=y)


def _add_processes(rows: list[dict[str, Any]], bar: Progress) -> None:
    """Add first calls to the rows of width 1, null to the others; add workers to one row."""
    from scaling.bench.processes import first_call_s, two_workers

    for row in rows:
        row |= {"first_call_s": None, "workers_ratio": None, "workers_range": None}
        if row["width"] == FIRST_CALL_WIDTH and row["device"] == "cpu":
            text = f"first calls of {row['engine']}"
            calls = []
            for _ in range(FIRST_CALLS):
                calls.append(first_call_s(row["engine"], row["recipe"]))
                bar.advance(FIRST_CALL_ROUNDS, text)
            row["first_call_s"] = _rounded(statistics.median(calls))
    first = next(row for row in rows if row["engine"] != "population")
    if gain := two_workers(first["engine"], first["recipe"], WORKERS_ROUNDS, WORKERS_S):
        first["workers_ratio"] = _rounded(gain.median)
        first["workers_range"] = _rounded(gain[1:])
    bar.advance(WORKERS_AS_ROUNDS, "2 workers against 1")


def _writable(out: str) -> Path:
    """Make the folder and return it. Raises InputError unless a file can be written to it."""
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(
            f"--out {out} cannot be written ({error.strerror}): name another folder"
        ) from error
    return folder


def _plain(row: "Row") -> dict[str, Any]:
    """Return a row as JSON holds it."""
    return {key: _rounded(value) for key, value in asdict(row).items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_rounded(item) for item in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:,g}"
