"""Run seeds: `python -m tests.simulation --seeds 100000`, or replay one: `--seed 17`."""

import argparse
import sys
import time
from collections import Counter

from .simulation import installed, simulate


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
        began, cpu, failed, steps = time.monotonic(), time.process_time(), Counter[str](), 0
        for seed in range(args.first, args.first + args.seeds):
            outcome = simulate(seed)
            steps += outcome.steps
            for fault in outcome.faults[:1]:
                failed[fault.split("\n")[0]] += 1
                print(f"seed {seed}: {fault}", flush=True)
    seconds = time.monotonic() - began
    print(
        f"{args.seeds:,} seeds, {steps:,} operations, {sum(failed.values())} failed;"
        f" {seconds:.0f} s, {(time.process_time() - cpu) / args.seeds * 1e3:.1f} ms of CPU a seed"
    )
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
