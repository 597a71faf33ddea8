"""The records beside the models: sweeps, forecasts and a benchmark, each read by its schema.

A folder may come from a stranger: a record that cannot be read is named and left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, NotRequired

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    TypeAdapter,
    with_config,
)
from typing_extensions import TypedDict

from scaling.store.store import CorruptFile, Store
from scaling.untrusted import CONTROLS

BENCH, FORECASTS, RUNS = "bench.json", "forecasts", "runs"
strict = with_config(ConfigDict(strict=True))  # other keys are left out


def _moment(text: str) -> str:
    """Raise ValueError for text that is no time with its zone."""
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("a time without its zone")
    return text


Word = Annotated[str, StringConstraints(max_length=1000, pattern=rf"^[^{CONTROLS}]*$")]
Moment = Annotated[str, AfterValidator(_moment)]
Count = Annotated[int, Field(ge=0, lt=2**53)]
Size = Annotated[int, Field(ge=1, lt=2**53)]
Amount = Annotated[FiniteFloat, Field(ge=0, le=1e15)]
Positive = Annotated[FiniteFloat, Field(gt=0, le=1e15)]


@strict
class _Sweep(TypedDict):
    study: Word
    device: Word
    cpus: Count
    gpus: Count
    trials: Count
    models: Count
    predicted_wall_s: Amount
    wall_s: Amount | None
    started_at: Word


@strict
class _Forecast(TypedDict):
    cell_id: Word
    study: NotRequired[Word]
    n_train: Size
    dataset: Word
    test_set_id: NotRequired[Word]
    split: NotRequired[Word]
    model: NotRequired[Word]
    width: Positive
    recipe: Word
    epochs: Size
    batch_size: NotRequired[Size]
    lr: NotRequired[FiniteFloat]
    weight_decay: NotRequired[FiniteFloat]
    made_at: Moment
    error: Positive
    low: Amount
    high: Amount
    level: Annotated[FiniteFloat, Field(gt=0, lt=1)]
    fitted_n_train: Annotated[list[Size], Field(min_length=1)]


@strict
class _Speed(TypedDict):
    engine: Word
    recipe: Word
    width: Size | Positive
    us: Positive
    us_range: Annotated[list[Positive], Field(min_length=2, max_length=2)]
    loop_us: Positive
    ratio: Positive
    floor_us: Positive | None
    floor_ratio: Positive | None
    machine: NotRequired[Word | None]


SWEEP, FORECAST = TypeAdapter[Any](_Sweep), TypeAdapter[Any](_Forecast)
SPEEDS = TypeAdapter[Any](Annotated[list[_Speed], Field(min_length=1)])
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The records of a folder, and the files that are none."""

    sweeps: Sequence[Row] = ()
    forecasts: Sequence[Row] = ()
    speeds: Sequence[Row] = ()  # of engines; empty without a benchmark
    corrupt: tuple[CorruptFile, ...] = ()


def read_records(store: Store) -> Records:
    """Return the records of a folder."""
    sweeps, no_sweeps = store.read_json(store.file_names(RUNS, ".json"), SWEEP)
    forecasts, no_forecasts = store.read_json(store.file_names(FORECASTS, ".json"), FORECAST)
    benches, no_benches = store.read_json([BENCH], SPEEDS)
    return Records(
        sweeps=sweeps,
        forecasts=forecasts,
        speeds=benches[0] if benches else (),
        corrupt=(*no_sweeps, *no_forecasts, *no_benches),
    )
