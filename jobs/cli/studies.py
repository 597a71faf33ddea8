"""The command `studies`: list the studies and their cost."""

import argparse
import json
from typing import Any

from jobs.planning.cost import plan_job
from jobs.studies import all_studies
from scaling.data import datasets
from scaling.data.selection import DatasetInfo
from scaling.progress import duration
from scaling.study import resolve


def add_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """List the studies: question, cells, members, predicted cost."""
    listed: list[dict[str, Any]] = []
    for study in all_studies():
        jobs = resolve(study, _without_preparing)
        listed.append(
            {
                "name": study.name,
                "question": study.question,
                "cells": len(jobs),
                "members": sum(len(job.members) for job in jobs),
                "predicted_core_s": round(sum(plan_job(job, "cpu").seconds for job in jobs)),
            }
        )
    if args.json:
        print(json.dumps(listed, indent=1))
    for row in [] if args.json else listed:
        print(
            f"{row['name']:12} {row['question']}\n{'':12} {row['cells']} cells,"
            f" {row['members']} models, about {duration(row['predicted_core_s'])} of core time"
        )
    return 0


def _without_preparing(name: str) -> tuple[str, DatasetInfo]:
    """Return a data set's sizes without its files; `auto` has those of mnist."""
    source = "mnist" if name == "auto" else name
    return source, datasets.describe(source)
