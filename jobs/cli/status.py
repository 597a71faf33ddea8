"""The command `status`: finished, failed and missing cells of a results folder."""

import argparse
import json
from collections import Counter

from jobs.cli.arguments import open_store
from jobs.cli.output import (
    count_text,
    failure_lines,
    print_doubts,
    question_lines,
    report_corrupt_files,
)
from jobs.cli.watch import watch
from scaling.store.store import Store


def add_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("out", metavar="OUT")
    p.add_argument("--watch", action="store_true", help="until nothing is missing, or Ctrl-C")
    p.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Finished, failed and missing cells of a results folder."""
    if args.watch:
        try:
            watch(Store(args.out), as_json=args.json)
        except KeyboardInterrupt:  # how one leaves
            return 0
    store = open_store(args.out)
    contents = store.contents(whole=False)
    state, plans = contents.state, contents.plans
    total: Counter[str] = Counter()
    planned: set[str] = set()
    for name, plan in plans.items():
        counts = state.count(plan) | state.count_models(plan)
        total.update(counts)
        planned |= {m["run_id"] for cell in plan["cells"] for m in cell["members"]}
        if not args.json:
            print(f"{name}: {counts['cells']} cells, {count_text(counts)}")
            lines = question_lines(plan["question"], plan["notes"])
            for line in (*lines, *failure_lines(plan, state)):
                print(f"  {line}")
    unplanned = len(state.finished - planned)
    if args.json:
        cells = ("cells", "finished", "failed", "missing", "in_part")
        models = ("models", "models_finished", "models_failed")
        more = {
            "unplanned": unplanned,
            "torn": [file.path for file in state.corrupt],
            "misplaced": [file.path for file in contents.misplaced],
            "unverified_files": contents.unverified,
        }
        print(json.dumps({key: total[key] for key in (*cells, *models)} | more))
    elif unplanned:
        print(
            f"{unplanned} models are stored that no study here names, as those of an earlier"
            " definition: they are in no count and in no report"
        )
    elif not plans:
        print(f"{args.out}: no study is there yet")
    print_doubts(contents)
    return report_corrupt_files(state.corrupt)
