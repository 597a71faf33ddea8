"""Run trials on Ray Tune, for a sweep as for a tuning."""

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


class TrialSource(Searcher):
    """Give Tune its trials. The results folder is all the state, so Tune has none to save."""

    ended = False  # True: begin no more trials

    def save(self, checkpoint_path: str) -> None:
        """Save nothing; Tune wants the file."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: see `save`."""


class StopWhenUnwritable(tune.Callback):
    """Begin no more trials once one was given up and results cannot be written."""

    def __init__(self, source: TrialSource, store: Store) -> None:
        self._source, self._store = source, store

    def on_trial_error(self, *_: Any, **__: Any) -> None:
        try:
            self._store.check_writable()
        except InputError:
            self._source.ended = True


def run_trials(
    trainable: Callable[..., None],
    source: TrialSource,
    *,
    count: int,
    max_concurrent: int,
    resources: Callable[[dict[str, Any]], tune.PlacementGroupFactory],
    store: Store,
    callbacks: Sequence[tune.Callback] = (),
    **trainable_kwargs: Any,
) -> list[Lost]:
    """Run `count` trials; return the configurations and errors of those that were given up.

    `resources` returns the request of a trial by its configuration. `trainable_kwargs` go to
    `trainable` beside the configuration. Both are small: a trial finds its data on its own node.
    """
    given = tune.with_parameters(
        trainable,
        out=store.out if not store.is_local else str(store.root),
        settings=connect.settings(),
        **trainable_kwargs,
    )
    with tempfile.TemporaryDirectory(prefix="scaling-tune-") as scratch:
        tuner = tune.Tuner(
            tune.with_resources(given, resources),
            tune_config=tune.TuneConfig(
                search_alg=source,
                num_samples=count,
                reuse_actors=True,
                max_concurrent_trials=max_concurrent,
            ),
            run_config=tune.RunConfig(
                storage_path=scratch,  # Ray's own state is disposable: ours is the store
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=INFRASTRUCTURE_RETRIES),
                callbacks=[*callbacks, StopWhenUnwritable(source, store)],
            ),
        )
        results = tuner.fit()
    return [
        (result.config, result.error)
        for result in map(results.__getitem__, range(len(results)))
        if result.error is not None and result.config
    ]


def resource_request(device: str, share: float = 1.0) -> tune.PlacementGroupFactory:
    """Return the resources that a trial requests: a core, or a part of a GPU and no core.

    Trials on cores would else keep those on GPUs waiting for a core.
    """
    return tune.PlacementGroupFactory([{"GPU": share} if device == "cuda" else {"CPU": 1.0}])
