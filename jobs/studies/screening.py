"""Screen candidates for the best recipe at unchanged inference cost, by validation images only."""

from scaling.analyses import Screening
from scaling.study import MODERN, Grid, Study

CANDIDATES = (
    MODERN,
    "label_smoothing",
    "gelu",
    "cosine",
    "warmup",
    "ema",
    "mixup",
    "elastic",
    "elastic_cosine",
    "elastic_cosine_gelu",
    "elastic_cosine_ema",
    "elastic_mixup",
)

STUDY = Study(
    name="screening",
    question="Which of the tricks after 2022 lower the validation error of the modern recipe?",
    analyses=(Screening(),),
    grids=(
        Grid(
            dataset=("mnist",),
            n_train=(7291,),
            split="tune",
            recipe=CANDIDATES,
            seeds=(0, 1, 2),
        ),
        Grid(  # twice as long, at twice the learning rate
            dataset=("mnist",),
            n_train=(7291,),
            split="tune",
            recipe=(MODERN, "elastic_cosine", "elastic_cosine_gelu", "gelu_cosine"),
            epochs=(160,),
            lr=6e-4,
            seeds=(0, 1, 2),
        ),
        Grid(  # the recipes that gained by it, twice as long again
            dataset=("mnist",),
            n_train=(7291,),
            split="tune",
            recipe=("gelu_cosine", "mild_elastic_gelu_cosine"),
            epochs=(320,),
            lr=6e-4,
            seeds=(0, 1, 2),
        ),
    ),
    notes=("The winner is trained anew and tested by the study `best`.",),
)
