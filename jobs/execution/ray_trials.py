"""Run trials on Ray Tune, for a sweep as for a tuning."""

import tempfile
import threading
from collections.abc import Callable, Sequence
from typing import Any

import ray
from ray import tune
from ray.exceptions import RayError
from ray.tune import TuneError
from ray.tune.execution import class_cache

from jobs.execution import connect, stopping
from jobs.execution.head_watch import HeadLost, HeadWatch, addresses
from jobs.execution.last_words import last_words
from jobs.execution.lost_trials import WorkerLost, error_of, know_all_errors, reason
from jobs.execution.silence import Limits, Watch
from jobs.execution.trial_source import Lost, TrialSource
from scaling.errors import InputError
from scaling.store.store import Store

# Tune would send the driver's AWS keys to its trials in their runtime environment, which every node
# writes into a log: keys are each node's own. There is no public switch, hence a private name.
class_cache.ENV_VARS_TO_PROPAGATE.difference_update(
    {name for name in class_cache.ENV_VARS_TO_PROPAGATE if name.startswith("AWS_")}
)
INFRASTRUCTURE_RETRIES = 3  # assumed: for workers that are killed; a model's NaN is never retried
know_all_errors()
STORE_S = 15.0  # assumed: to note the lost trials of a lost head


class Care(tune.Callback):
    """Give lost trials to their source again, with a line for each; end them all without a head.

    Begin no more trials once one was given up and results cannot be written.
    """

    def __init__(
        self,
        source: TrialSource,
        store: Store,
        watch: Watch,
        head: HeadWatch,
        say: Callable[[str], None],
    ) -> None:
        self._source, self._store, self._say = source, store, say
        self._watch, self._head = watch, head

    def __getstate__(self) -> dict[str, object]:
        """Leave everything out: Ray Tune pickles its callbacks, and these hold a thread."""
        return {}

    def on_step_begin(self, iteration: int, trials: list[Any], **_: Any) -> None:
        self._head.check()

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        node, killed = self._watch.forget(trial.trial_id)
        error = WorkerLost(killed) if killed else error_of(trial)
        fate = self._source.failed(dict(trial.config), error, node)
        self._say(f"a trial was lost: {reason(error)}; it is {fate}")
        if fate.startswith("given up"):
            try:
                self._store.check_writable()
            except InputError:
                self._source.ended = True


def run_trials(
    trainable: Callable[..., None],
    source: TrialSource,
    *,
    max_concurrent: int,
    resources: Callable[[dict[str, Any]], tune.PlacementGroupFactory],
    predicted: Callable[[dict[str, Any]], float],
    store: Store,
    say: Callable[[str], None],
    limits: Limits,
    store_lost: Callable[[Sequence[Lost]], None],
    callbacks: Sequence[tune.Callback] = (),
    **trainable_kwargs: Any,
) -> None:
    """Run all trials of `source`.

    `resources` returns the request of a trial by its configuration, `predicted` its seconds;
    `store_lost` gets those that were given up, with their errors. `trainable_kwargs` go to
    `trainable` beside the configuration. Both are small: a trial finds its data on its own node.
    Raises HeadLost where Ray itself is lost.
    """
    source.retries = INFRASTRUCTURE_RETRIES
    given = tune.with_parameters(
        trainable,
        out=store.out if not store.is_local else str(store.root),
        settings=connect.settings(),
        **trainable_kwargs,
    )

    def end_now(lost: str) -> None:
        """End this process, whose main thread hangs in a call of Ray."""
        storing = threading.Thread(
            target=lambda: store_lost(source.unfinished(HeadLost(lost))), daemon=True
        )
        storing.start()
        storing.join(STORE_S)
        stopping.end_now(1, f"{lost}: {advice()}")

    with (
        last_words(),
        tempfile.TemporaryDirectory(prefix="scaling-tune-") as scratch,
        HeadWatch(addresses(), end_now) as head,
    ):
        stopping.scratch(scratch)
        watch = Watch(predicted, say, limits)
        care = Care(source, store, watch, head, say)
        tuner = tune.Tuner(
            tune.with_resources(given, lambda config: elsewhere(resources(config), config)),
            tune_config=tune.TuneConfig(
                search_alg=source,
                num_samples=-1,  # until the source has no more
                reuse_actors=True,
                max_concurrent_trials=max_concurrent,
            ),
            run_config=tune.RunConfig(
                storage_path=scratch,  # Ray's own state is disposable: ours is the store
                verbose=0,
                callbacks=[*callbacks, watch, care],
            ),
        )
        try:
            tuner.fit()
        except (HeadLost, RayError, TuneError, RuntimeError, OSError) as error:
            lost = HeadLost(head.lost or why(error))
            store_lost(source.unfinished(lost))
            raise lost from error
    store_lost(source.lost)


def why(error: BaseException) -> str:
    """Return why Ray ended all trials, in a line."""
    text = " ".join(str(error).split())
    if "WrongClusterID" in text:
        return "Ray's head was started anew and knows nothing of this sweep"
    return f"Ray ended all trials ({type(error).__name__}: {text[-200:]})"


def advice(exact: bool = False) -> str:
    """Return what is stored and what to do after the loss of a cluster."""
    return f"{stopping.what_is_stored(exact)}; see to the cluster and run the same command again"


def elsewhere(
    request: tune.PlacementGroupFactory, config: dict[str, Any]
) -> tune.PlacementGroupFactory:
    """Return the request of a lost trial for another node than its last, where there is one."""
    (needs,), node = request.bundles, config.get("avoid")
    others = (
        each["Alive"]
        and each["NodeID"] != node
        and all(each["Resources"].get(kind, 0) >= amount for kind, amount in needs.items())
        for each in ray.nodes()
    )
    if not node or not any(others):
        return request
    return tune.PlacementGroupFactory(
        [needs], bundle_label_selector=[{"ray.io/node-id": f"!{node}"}]
    )


def resource_request(device: str, share: float = 1.0) -> tune.PlacementGroupFactory:
    """Return the resources that a trial requests: a core, or a part of a GPU and no core.

    Trials on cores would else keep those on GPUs waiting for a core.
    """
    return tune.PlacementGroupFactory([{"GPU": share} if device == "cuda" else {"CPU": 1.0}])
