"""The model card: what a bundle was trained on, what it scores, what it is not for (Mitchell et al. 2019)."""

from typing import Any

from training.recipe import Recipe

_WHAT = {
    "sentiment": "Probability that a text is positive.",
    "rainfall": "Millimetres of rain at a gauge in an hour of polarimetric radar scans, with a 90 % interval.",
    "music": "Probability of each next character of a tune in ABC notation.",
    "cells": (
        "A demonstration: the gates and states of an RNN, an LSTM and a GRU while each reads a text and judges it after every "
        "word. They share the words they know, the width of word vectors and the number of units, and no weight."
    ),
}
_HOW = {
    "sentiment": (
        "Validation texts belong to movies, or whatever the data group them by, of which no text was learned from. Unlabelled "
        "texts, where there are any, are read as plain text to pretrain on, and with the labels that teachers gave "
        "them, where the recipe names teachers."
    ),
    "rainfall": (
        "Hours with a gauge of 73 mm or more are clogged or broken "
        "gauges and are neither learned from nor counted in `mae_mm`, only in `all_mae_mm`. Where the recipe names a "
        "teacher, hours generated from these and labelled by the networks that won *How Much Did It Rain? II* (Kaggle 2015), "
        "which have seen all of that competition's hours, the held-out ones too."
    ),
    "music": "Tunes that begin alike stay in one split.",
    "cells": "Validation texts belong to movies, or whatever the data group them by, of which no text was learned from.",
}
_NOT_FOR = {
    "sentiment": (
        "Languages other than English; subjects far from films and products; sarcasm it has no context for; decisions "
        "about a person."
    ),
    "rainfall": (
        "Snow and hail; radars other than the US WSR-88D network; warnings on which lives depend. With few hours learned "
        "from, the interval is wide and the estimate of downpours too low."
    ),
    "music": "Anything but melodies in the style of the collections; telling who wrote a tune.",
    "cells": (
        "Judging texts: the model of `sentiment` does that, and better. Ranking the three cells: networks so small, trained "
        "once by one recipe, show how they work and not which is best."
    ),
}


_NOTICE = """
## Weights by others

{}
"""


def card(manifest: dict[str, Any], recipe: Recipe, about: str, notice: str) -> str:
    """Markdown. `about` says where the data come from; nothing else here knows. `notice` is Learner's."""
    task, data = manifest["task"], manifest["data"]
    shape = recipe.model
    cell = "RNN, LSTM and GRU, each of" if recipe.cell == "all" else f"{recipe.cell.upper()},"
    net = f"{cell} {shape.layers} {'bidirectional ' if shape.bidirectional else ''}layer(s) of {shape.hidden}"
    if recipe.rain.beside:
        net += f", averaged with the network of the recipe `{recipe.rain.beside}`"
    sizes = ", ".join(f"{count} {name}" for name, count in data["split_sizes"].items())
    rejected = ", ".join(f"{count} ({reason})" for reason, count in data["rejected"].items()) or "none"
    rows = "\n".join(f"| {name} | {value} |" for name, value in manifest["metrics"].items())
    kept = "the last epoch was kept" if recipe.training.keep == "last" else "the best epoch was chosen on the validation set"
    return f"""# {task} {manifest["version"]}

{_WHAT[task]}

- Network: {net}, served in {manifest["precision"]}.
- Made: {manifest["created"]}, from `recipe.toml` beside this card (seed {recipe.training.seed}).

## Trained on

`{data["source"]}`: {about or "where it comes from was not said."}

{_HOW[task]}

{data["kept"]} {data["unit"]} used, rejected: {rejected}. Split by group with seed {data["split_seed"]}: {sizes}.

## Scores

| score | value |
| --- | --- |
{rows}

`fp32` and `int8` are the graph before and after quantisation, on the same examples; {kept}.
To measure again: `gatehouse evaluate {task} --data PATH`.

## Not for

{_NOT_FOR[task]}
{notice and _NOTICE.format(notice.rstrip())}"""
