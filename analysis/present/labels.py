"""Labels that distinguish things on one page or in one figure."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from analysis.present.style import recipe_title
from scaling.study import is_built_in

Facts = Mapping[str, Any]
Word = Callable[[Any], str]


def _named(names: Mapping[Any, str], rest: str = "{}") -> Word:
    return lambda value: names.get(value, rest.format(value))


def _or_none(word: str) -> Word:
    return lambda value: f"{word} {value:g}" if value else f"no {word}"


def _tricks(tricks: Sequence[tuple[str, int]]) -> str:
    names = [name.replace("_", " ") + (f" {v}" if v != 1 else "") for name, v in tricks]
    return f"tricks {', '.join(names)}" if names else "no tricks"


CONTENT: dict[str, Word] = {  # fields of a recipe, in brackets after its title
    "loss": _named({"mse": "squared error", "cross_entropy": "cross-entropy"}),
    "activation": _named({"relu": "ReLU", "gelu": "GELU", "scaled_tanh": "scaled tanh",
                          "twisted_tanh": "twisted tanh"}),
    "output": _named({"scaled_tanh": "scaled tanh outputs", "twisted_tanh": "twisted tanh outputs"},
                     "{} outputs"),
    "optimizer": _named({"sgd": "SGD", "sdlm": "second-order method", "adamw": "AdamW",
                         "muon": "Muon"}),
    "shift": _or_none("shift"),
    "dropout": _or_none("dropout"),
    "lr_end": lambda value: (
        "constant learning rate"
        if value == 1
        else f"learning rate falls to {value:.3g} of the first"
    ),
    "schedule": _named({}, "{} schedule"),
    "warmup": lambda value: f"warm-up of {value} epochs" if value else "no warm-up",
    "momentum": _or_none("momentum"),
    "label_smoothing": _or_none("label smoothing"),
    "ema": _or_none("weight averaging"),
    "norm": _named({"none": "no norm"}, "{} norm"),
    "residual": _named({True: "residual", False: "no residual"}),
    "mixup": _or_none("mixup"),
    "elastic": _or_none("elastic"),
    "init": _named({"sqrt_fan_in": "init by root of fan-in", "fan_in": "init by fan-in"}),
    "connections": _named({}, "{} connections"),
    "shift_fill": _named({"wrap": "shifts wrap around", "background": "shifts bring background"}),
    "output_bias": lambda value: f"output bias {value:g}",
    "trainable": _named({"all": "all layers learn", "output": "only the output layer learns"}),
}  # fmt: skip
AROUND: dict[str, Word] = {  # of data, size and training, after it
    "model": _named({"lecun1989": "network of 1989"}),
    "test_set_id": str,
    "width": lambda value: f"width {value:g}",
    "epochs": lambda value: f"{value} epochs",
    "batch_size": lambda value: f"batch {value}",
    "split": lambda value: f"split {value}",
    "lr": lambda value: f"learning rate {value:g}",
    "weight_decay": lambda value: f"weight decay {value:g}",
    "n_train": lambda value: f"{value:,} images",
}
# The last fields to distinguish by: most of them follow from a field above.
LAST: dict[str, Word] = {
    "dataset": str,
    "data_version": lambda value: f"version {value} of the data",
    "n_test": lambda value: f"{value:,} test images",
    "tricks": _tricks,
    "model_version": lambda value: f"version {value} of the model",
    "lr": lambda value: f"learning rate {value!r}",  # all of its digits
    "weight_decay": lambda value: f"weight decay {value!r}",
}


def labels(
    things: Sequence[Facts], *, shown: Sequence[str] = (), bases: Sequence[str] | None = None
) -> list[str]:
    """Return a label for each thing, the shortest that differ where the things do.

    A label is the title of the recipe (or of `bases`). Where things share it, and the fields
    `shown` beside it, their differences follow: a recipe's contents in brackets, then the rest.
    The built-in recipe of a name keeps its title alone.
    """
    found = list(bases or (recipe_title(f["recipe"], f["model"]) for f in things))
    for members in _clashes(things, found, shown):
        for i, name in zip(
            members, _names([things[i] for i in members], found, members), strict=True
        ):
            found[i] = name
    for distinguish in (_contents, _around):
        for members in _clashes(things, found, shown):
            parts = distinguish([things[i] for i in members], shown)
            for i, part in zip(members, parts, strict=True):
                found[i] = part(found[i])
    for name, word in LAST.items():
        for members in _clashes(things, found, shown):
            if name not in shown and _varies(name, [things[i] for i in members]):
                for i in members:
                    found[i] = f"{found[i]}, {word(things[i].get(name))}"
    for members in _clashes(things, found, shown):  # rounded numbers, or a newer version's field
        for i in members:
            found[i] += f", {hashlib.sha256(_key(things[i]).encode()).hexdigest()[:6]}"
    return found


def shared_facts(things: Sequence[Facts]) -> dict[str, Any]:
    """Return the facts that all of these things share."""
    first, *rest = things
    return {
        name: value
        for name, value in first.items()
        if all(_key(value) == _key(other.get(name)) for other in rest)
    }


def differing_fields(one: Facts, other: Facts) -> list[str]:
    """Return the fields in which two things differ, by their names."""
    names = dict.fromkeys([*one, *other])
    return [name for name in names if _key(one.get(name)) != _key(other.get(name))]


def _names(group: Sequence[Facts], found: Sequence[str], members: Sequence[int]) -> list[str]:
    """Return the titles, with the recipe names where these differ and the titles do not."""
    names = [str(facts["recipe"]) for facts in group]
    if len(set(names)) == 1:
        return [found[i] for i in members]
    titles = {name: recipe_title(name) for name in names}
    plain = len(set(titles.values())) == len(titles)
    return [
        f"{found[i]}, {titles[name] if plain else f'recipe {name}'}"
        for i, name in zip(members, names, strict=True)
    ]


def _contents(group: Sequence[Facts], shown: Sequence[str]) -> list[Callable[[str], str]]:
    """Return functions that add to each title the contents of its recipe that others lack."""
    known = {*CONTENT, *AROUND, *LAST, *shown, "recipe", "start"}
    newer: dict[str, Word] = {
        name: partial("{} {}".format, name.replace("_", " "))
        for name in dict.fromkeys(name for each in group for name in each)
        if name not in known
    }
    words = {**{n: word for n, word in CONTENT.items() if n not in shown}, **newer}
    varied = [name for name in words if _varies(name, group)]
    named = next((each for each in group if _as_named(each)), None)
    return [
        partial(
            _bracketed,
            [
                words[name](facts.get(name))
                for name in varied
                if named is None or _varies(name, [facts, named])
            ],
        )
        for facts in group
    ]


def _bracketed(inside: Sequence[str], title: str) -> str:
    if not inside:
        return title
    opened = f"{title[:-1]}; " if title.endswith(")") else f"{title} ("
    return f"{opened}{', '.join(inside)})"


def _around(group: Sequence[Facts], shown: Sequence[str]) -> list[Callable[[str], str]]:
    """Return functions that add to each title the data, sizes and rates that distinguish it."""
    varied = [
        name
        for name in AROUND
        if name not in shown and _varies(name, [each for each in group if name in each])
    ]
    starts: list[str] = [""] * len(group)
    if "start" not in shown and _varies("start", group):
        starts = start_words([each.get("start") for each in group])
    return [
        partial(
            _listed, [*(AROUND[n](facts[n]) for n in varied if n in facts), *filter(None, [start])]
        )
        for facts, start in zip(group, starts, strict=True)
    ]


def _listed(parts: Sequence[str], title: str) -> str:
    return ", ".join([title, *parts])


def _as_named(facts: Facts) -> bool:
    """Return whether it has the built-in recipe of its name."""
    return is_built_in({**facts, "name": facts["recipe"]})


def start_words(starts: Sequence[Facts | None]) -> list[str]:
    """Return a label for the pretraining of each; empty without one."""
    distinct = {_key(start): _flat(start) for start in starts if start}
    bases = [f"begun on {start['dataset']}" for start in distinct.values()]
    found = labels(list(distinct.values()), bases=bases)
    split = (label.partition(", ")[::2] for label in found)  # what is the start's own, in brackets
    words = [f"{base} ({rest})" if rest else base for base, rest in split]
    named = dict(zip(distinct, words, strict=True))
    return [named[_key(start)] if start else "" for start in starts]


def _flat(start: Facts) -> dict[str, Any]:
    recipe = dict(start["recipe"])
    return {**start, "recipe": recipe.pop("name"), **recipe}


def _clashes(
    things: Sequence[Facts], found: Sequence[str], shown: Sequence[str]
) -> Iterable[list[int]]:
    """Return groups of different things with the same label, and the same fields beside it."""
    groups: dict[Any, list[int]] = {}
    for i, (facts, label) in enumerate(zip(things, found, strict=True)):
        groups.setdefault((label, *(_key(facts.get(name)) for name in shown)), []).append(i)
    return [members for members in groups.values() if len({_key(things[i]) for i in members}) > 1]


def _varies(name: str, group: Sequence[Facts]) -> bool:
    return len({_key(facts.get(name)) for facts in group}) > 1


def _key(value: Any) -> str:
    """Return a key that is equal for 1 and 1.0, and for tuples and lists."""
    whole = isinstance(value, float) and value.is_integer()
    return json.dumps(int(value) if whole else value, sort_keys=True, default=_plain)


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)
