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
from jobs.execution.dispatch import Arguments, Dispatch, NothingLeft, Openings, drop_old_results
from jobs.execution.head_watch import HeadLost, HeadWatch, addresses
from jobs.execution.inbox import work
from jobs.execution.lost_trials import know_all_errors
from jobs.execution.silence import Limits, Watch
from jobs.execution.trial_source import Lost, TrialSource
from scaling.store.store import Store

# Tune would send the driver's AWS keys to its trials in their runtime environment, which every node
# writes into a log: keys are each node's own. There is no public switch, hence a private name.
class_cache.ENV_VARS_TO_PROPAGATE.difference_update(
    {name for name in class_cache.ENV_VARS_TO_PROPAGATE if name.startswith("AWS_")}
)
INFRASTRUCTURE_RETRIES = 3  # assumed: for workers that are killed; a model's NaN is never retried
know_all_errors()
drop_old_results()
STORE_S = 15.0  # assumed: to note the lost trials of a lost head


def run_trials(
    trainable: Callable[..., dict[str, Any] | None],
    source: TrialSource,
    *,
    max_concurrent: int,
    resources: Callable[[Any], tune.PlacementGroupFactory],
    predicted: Callable[[dict[str, Any]], float],
    arguments: Arguments = lambda _: {},
    store: Store,
    say: Callable[[str], None],
    limits: Limits,
    store_lost: Callable[[Sequence[Lost]], None],
    callbacks: Sequence[tune.Callback] = (),
    **trainable_kwargs: Any,
) -> None:
    """Train all configurations of `source`, in as many trials as can run at once.

    `resources` returns the request of a trial by its kind; by the configuration, `predicted`
    returns seconds, and `arguments` what `trainable` gets beside it. `trainable_kwargs` are the
    same for all. All are small: a worker finds its data on its own node. `store_lost` gets the
    configurations that were given up, with their errors.
    Raises HeadLost where Ray itself is lost.
    """
    source.retries = INFRASTRUCTURE_RETRIES
    given = tune.with_parameters(
        work,
        train=trainable,
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
        tempfile.TemporaryDirectory(prefix="scaling-tune-") as scratch,
        HeadWatch(addresses(), end_now) as head,
    ):
        stopping.scratch(scratch)
        watch = Watch(predicted, say, limits)
        openings = Openings(source, lambda kind, node: is_elsewhere(resources(kind), node))
        dispatch = Dispatch(source, openings, arguments, store, watch, head, say)
        tuner = tune.Tuner(
            tune.with_resources(
                given, lambda trial: elsewhere(resources(trial["kind"]), trial["avoid"])
            ),
            tune_config=tune.TuneConfig(
                search_alg=openings,
                num_samples=-1,  # until the source has no more
                max_concurrent_trials=max_concurrent,
            ),
            run_config=tune.RunConfig(
                storage_path=scratch,  # Ray's own state is disposable: ours is the store
                verbose=0,
                callbacks=[*callbacks, watch, dispatch],
                stop=NothingLeft(source),
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


def is_elsewhere(request: tune.PlacementGroupFactory, node: str) -> bool:
    """Return whether another node than this one has what a trial requests, in use or not."""
    (needs,) = request.bundles
    return any(
        each["Alive"]
        and each["NodeID"] != node
        and all(each["Resources"].get(kind, 0) >= amount for kind, amount in needs.items())
        for each in ray.nodes()
    )


def elsewhere(request: tune.PlacementGroupFactory, node: str) -> tune.PlacementGroupFactory:
    """Return the request of a trial for another node than this one; for any if that is none."""
    if not node:
        return request
    return tune.PlacementGroupFactory(
        request.bundles, bundle_label_selector=[{"ray.io/node-id": f"!{node}"}]
    )


def resource_request(device: str, share: float = 1.0) -> tune.PlacementGroupFactory:
    """Return the resources that a trial requests: a core, or a part of a GPU and no core.

    Trials on cores would else keep those on GPUs waiting for a core.
    """
    return tune.PlacementGroupFactory([{"GPU": share} if device == "cuda" else {"CPU": 1.0}])
