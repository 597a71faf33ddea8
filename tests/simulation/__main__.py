"""Run seeds: `python -m tests.simulation --seeds 100000`, or replay one: `--seed 17`."""

import argparse
import sys
import time

from .simulation import installed, simulate

EVERY = 1000  # seeds between two lines


def main() -> int:
    """Run the seeds of the command line; print those that fail. Returns 1 if any does."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="print the schedule of this one")
    parser.add_argument("--seeds", type=int, default=2000, help="run so many")
    parser.add_argument("--first", type=int, default=0, help="from this one on")
    args = parser.parse_args()
    with installed():
        if args.seed is not None:
            outcome = simulate(args.seed)
            print(outcome.text())
            return bool(outcome.faults)
        return run(range(args.first, args.first + args.seeds))


def run(seeds: range) -> int:
    """Run these seeds; print what each failed one found, and the figures now and then."""
    began, cpu = time.monotonic(), time.process_time()
    failed, operations = 0, 0
    for number, seed in enumerate(seeds, 1):
        outcome = simulate(seed)
        operations += outcome.steps
        if outcome.faults:
            failed += 1
            print(f"seed {seed}: {outcome.faults[0]}", flush=True)
        if number % EVERY == 0 or number == len(seeds):
            cpu_ms = (time.process_time() - cpu) / number * 1e3
            print(
                f"{number:,} seeds, {operations:,} operations, {failed} failed;"
                f" {time.monotonic() - began:.0f} s, {cpu_ms:.1f} ms of CPU a seed",
                flush=True,
            )
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
