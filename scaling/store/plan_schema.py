"""The schema of a plan, OUT/studies/NAME.json, which a stranger may have written.

It holds what every reader of a plan relies on. Other keys are those of newer versions, and stay.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired

from pydantic import (
    AfterValidator,
    ConfigDict,
    FailFast,
    Field,
    FiniteFloat,
    Strict,
    StringConstraints,
    TypeAdapter,
    with_config,
)
from typing_extensions import TypedDict

from scaling.untrusted import CONTROLS, conform, parse_json

LONGEST = 240  # characters of a name, whose file has a suffix besides
STUDY_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
# Far beyond what anyone trains, and small enough to multiply.
MOST_IMAGES, MOST_EPOCHS, MOST_WIDTH = 10**12, 10**9, 1e6

Text = Annotated[str, StringConstraints(max_length=100_000)]
Word = Annotated[str, StringConstraints(max_length=LONGEST, pattern=rf"^[^{CONTROLS}]*$")]
_PART = rf"[^{CONTROLS}/\\]"
Part = Annotated[str, StringConstraints(max_length=LONGEST, pattern=rf"^{_PART}+$")]
FileName = Annotated[
    str, StringConstraints(max_length=LONGEST, pattern=rf"^[^.{_PART[2:]}{_PART}*$")
]
Images = Annotated[int, Field(ge=1, le=MOST_IMAGES)]
Epochs = Annotated[int, Field(ge=1, le=MOST_EPOCHS)]
Width = Annotated[FiniteFloat, Field(gt=0, le=MOST_WIDTH)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Trick = Annotated[tuple[Annotated[Word, Strict()], Annotated[int, Strict()]], Strict(False)]
Number = Annotated[FiniteFloat, Strict()]
Ends = Annotated[tuple[Number, Number], Strict(False)]
strict = with_config(ConfigDict(extra="allow", strict=True))


@strict
class _Recipe(TypedDict):
    name: Part
    epochs: Epochs
    lr: FiniteFloat
    activation: NotRequired[Word]
    output: NotRequired[Word]
    loss: NotRequired[Word]
    optimizer: NotRequired[Word]
    weight_decay: NotRequired[FiniteFloat]
    lr_end: NotRequired[FiniteFloat]
    output_bias: NotRequired[FiniteFloat]
    batch_size: NotRequired[Images]
    shift: NotRequired[int]
    dropout: NotRequired[FiniteFloat]
    tricks: NotRequired[list[Trick]]
    momentum: NotRequired[FiniteFloat]
    schedule: NotRequired[Word]
    label_smoothing: NotRequired[FiniteFloat]
    ema: NotRequired[FiniteFloat]
    shift_fill: NotRequired[Word]
    norm: NotRequired[Word]
    residual: NotRequired[bool]
    init: NotRequired[Word]
    connections: NotRequired[Word]
    warmup: NotRequired[int]
    mixup: NotRequired[FiniteFloat]
    elastic: NotRequired[FiniteFloat]
    trainable: NotRequired[Word]


@strict
class _Start(TypedDict):
    dataset: Word
    data_version: Word
    n_train: Images
    n_test: Images
    test_set_id: Word
    split: Word
    width: Width
    recipe: _Recipe
    model: NotRequired[Word]
    model_version: NotRequired[int]
    start: "NotRequired[_Start | None]"


@strict
class _Member(TypedDict):
    run_id: FileName
    seed: Seed
    lr: Annotated[FiniteFloat, Field(gt=0)]
    weight_decay: FiniteFloat


@strict
class _Cell(_Start):
    cell_id: FileName
    source: Text
    start_source: NotRequired[Text]
    note: NotRequired[Text]
    predicted_s: NotRequired[Annotated[FiniteFloat, Field(ge=0)] | None]
    members: Annotated[list[_Member], Field(min_length=1), FailFast()]


@strict
class _Tunable(TypedDict):
    name: Word
    scale: Literal["log", "linear", "complement"]
    range: Ends
    first_range: Ends
    edges: Ends


@strict
class _Widened(TypedDict):
    name: Word
    side: Literal["low", "high"]
    after: int


@strict
class _Suggestion(TypedDict):
    number: int
    values: dict[Word, FiniteFloat]
    run_ids: Annotated[list[FileName], Field(min_length=1)]


@strict
class _Tuning(TypedDict):
    total: int
    published: dict[Word, FiniteFloat]
    space: Annotated[list[_Tunable], Field(min_length=1)]
    widened: list[_Widened]
    suggestions: Annotated[list[_Suggestion], FailFast()]
    fixed: dict[Word, FiniteFloat]


def _whole(tuning: _Tuning) -> _Tuning:
    """Raise ValueError unless every value of the space was published, and is of each suggestion."""
    names = {value["name"] for value in tuning["space"]}
    known = [("published", tuning["published"])]
    known += [(f"suggestion {each['number']}", each["values"]) for each in tuning["suggestions"]]
    for what, values in known:
        if missing := sorted(names - values.keys()):
            raise ValueError(f"{what} has no {missing[0]}, which the space names")
    return tuning


Tuning = Annotated[_Tuning, AfterValidator(_whole)]


@strict
class _Named(TypedDict):
    name: Annotated[str, StringConstraints(max_length=LONGEST, pattern=STUDY_NAME)]


@strict
class _Plan(_Named):
    question: NotRequired[Text]
    notes: NotRequired[list[Text]]
    command: NotRequired[Text]
    cells: Annotated[list[_Cell], FailFast()]
    tuning: NotRequired[Tuning]


PLAN, NAMED = TypeAdapter[Any](_Plan), TypeAdapter[Any](_Named)
TUNING = TypeAdapter[Any](Tuning)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Pause the garbage collector, which takes more than half of reading a large plan."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@_no_collection()
def parse_plan(path: str | Path, body: bytes) -> dict[str, Any]:
    """Return the plan in a file. Raises ValueError with one line for what is none."""
    plan: dict[str, Any] = parse_json(body)
    conform(plan, PLAN)  # its result is left: it has 1.0 where the identity has 1
    plan = {"question": "", "notes": [], "command": "", **plan}
    if plan["name"] != (stem := Path(path).stem):
        raise ValueError(f"its name is {plan['name']}, expected that of the file, {stem[:LONGEST]}")
    return plan


def parse_edited_plan(body: bytes) -> dict[str, Any]:
    """Return the plan in a file, of which only the name need be sound.

    Raises ValueError with one line for what is no object, or has no name.
    """
    plan: dict[str, Any] = parse_json(body, nan=True)
    conform(plan, NAMED)
    return plan
