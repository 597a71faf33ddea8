"""Trials onto Ray Tune, for a sweep as for a tuning: what they are told, ask for, and came to."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.execution import class_cache
from ray.tune.search import Searcher

from jobs.execution import connect
from scaling.errors import InputError
from scaling.store.store import Store

# Tune would send the driver's AWS keys to its trials in their runtime environment, which every node
# writes into a log: keys are each node's own. There is no public switch, hence a private name.
class_cache.ENV_VARS_TO_PROPAGATE.difference_update(
    {name for name in class_cache.ENV_VARS_TO_PROPAGATE if name.startswith("AWS_")}
)
INFRASTRUCTURE_RETRIES = 3  # assumed: for workers that are killed; a model's NaN is never retried

Lost = tuple[dict[str, Any], BaseException]


class Source(Searcher):
    """Where trials come from: what is stored is all the state that it has."""

    ended = False  # whether nothing new should be begun

    def save(self, checkpoint_path: str) -> None:
        """Nothing; Tune wants the file."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: see `save`."""


class Guard(tune.Callback):
    """Begins nothing new once a trial was given up and results cannot be written."""

    def __init__(self, source: Source, store: Store) -> None:
        self._source, self._store = source, store

    def on_trial_error(self, *_: Any, **__: Any) -> None:
        try:
            self._store.check_writable()
        except InputError:
            self._source.ended = True


def run_trials(
    trainable: Callable[..., None],
    source: Source,
    *,
    count: int,
    at_once: int,
    resources: Callable[[dict[str, Any]], tune.PlacementGroupFactory],
    store: Store,
    callbacks: Sequence[tune.Callback] = (),
    **told: Any,
) -> list[Lost]:
    """Run `count` trials; the configurations of those that were given up, and why.

    `resources` gives what a trial asks for by its configuration, `told` is passed to `trainable`
    beside it. Nothing large goes through either: a trial finds its data on its own node.
    """
    given = tune.with_parameters(
        trainable,
        out=store.out if not store.is_local else str(store.root),
        settings=connect.settings(),
        **told,
    )
    with tempfile.TemporaryDirectory(prefix="scaling-tune-") as scratch:
        tuner = tune.Tuner(
            tune.with_resources(given, resources),
            tune_config=tune.TuneConfig(
                search_alg=source,
                num_samples=count,
                reuse_actors=True,
                max_concurrent_trials=at_once,
            ),
            run_config=tune.RunConfig(
                storage_path=scratch,  # Ray's own state is disposable: ours is the store
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=INFRASTRUCTURE_RETRIES),
                callbacks=[*callbacks, Guard(source, store)],
            ),
        )
        results = tuner.fit()
    return [
        (result.config, result.error)
        for result in map(results.__getitem__, range(len(results)))
        if result.error is not None and result.config
    ]


def asks(device: str, share: float = 1.0) -> tune.PlacementGroupFactory:
    """What a trial asks for: a core, or a part of a GPU.

    That one asks for no core besides: trials of the other kind would keep it from its GPU.
    """
    return tune.PlacementGroupFactory([{"GPU": share} if device == "cuda" else {"CPU": 1.0}])
