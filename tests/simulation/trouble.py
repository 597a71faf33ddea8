"""The faults that a seed lets happen between the operations of a world's processes."""

from typing import Any

from .weather import flipped
from .world import Process


def trouble(here: Any, me: Process) -> None:
    """Let a fault happen before an operation of this process, or none."""
    strikes = here.weather.strikes
    if here.weather.fair or not here.weather.kinds:
        return
    if strikes("rot"):
        _rot(here)
    if strikes("power"):
        _lose_power(here)
    if me in here.trial_of:
        cluster, trial = here.trial_of[me]
        if strikes("killed_workers"):
            why = here.draw.choice(("killed", "killed", "killed", "its node is low on memory"))
            here.note(f"FAILS: the worker is killed: {why}")
            cluster.lose(trial, why)
        if strikes("cut_off"):
            here.note("FAILS: the worker's machine is cut off, and works on for a while")
            cluster.lose(trial, "cut off", 40 * here.draw.random())
        if trial.status != "PENDING" and strikes("hangs"):  # else Ray itself ends it
            here.note("FAILS: the worker hangs")
            here.hang(me)
    elif me.name.startswith("driver"):
        if strikes("killed_drivers"):
            here.note("FAILS: the driver is killed")
            here.kill(me)
        if strikes("ctrl_c"):
            here.note("FAILS: Ctrl-C")
            me.interrupted = True
        if strikes("head"):
            for cluster in here.clusters:
                cluster.head_lost = cluster.head_lost or cluster.driver is me


def _rot(here: Any) -> None:
    """Flip a bit of a file at rest."""
    files = here.all_files()
    inside = sorted(path for path in files if "/damaged/" not in path and "/.part/" not in path)
    if inside:
        path = here.draw.choice(inside)
        file = files[path]
        here.note(f"FAILS: a bit of {path} flips at rest")
        here.checker.rotten(path, file)
        file.body, file.harmed = flipped(here.draw, file.body), True


def _lose_power(here: Any) -> None:
    """Let every process die at once; a disk loses what was not synced."""
    here.note("FAILS: power is lost")
    for process in here.others_than_operator():
        here.kill(process)
    here.locks.clear()
    if not here.is_bucket:
        here.platter.fail(here.draw)
    here.checker.promises("before power was lost")
