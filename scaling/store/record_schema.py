"""What a record beside the models holds: a sweep, a forecast, or the speeds of a benchmark.

A folder may come from a stranger: a record that does not conform is named and left out.
"""

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

from scaling.untrusted import CONTROLS

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
BENCH = "bench.json"
RECORDS = {"runs": SWEEP, "forecasts": FORECAST}  # folders, and what each of their files holds
KINDS = (*RECORDS, "")  # of records; a benchmark's file is in no folder
