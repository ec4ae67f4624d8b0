"""Whatever a text, an hour or a prompt holds, it becomes tensors and an answer of finite numbers, or is refused."""

import json
import math
import sys
import time
import unicodedata
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.schemas import RadarHour, Scan
from app.tasks.abc_grammar import Alphabet, TuneGrammar
from app.tasks.music import Music, plain
from app.tasks.rainfall import FEATURES, MEASUREMENTS, Hour, Rainfall
from app.tasks.sentiment import Sentiment, tokenize
from app.tasks.task import InvalidInput, Tensors
from tests.fuzz.thoroughness import fuzzed

ANYTHING = st.text(st.characters(exclude_categories=()))
"""Every code point there is, halves of surrogate pairs too."""
TAG_LIKE = st.text("<>/aA'’\u0130\u0345_!. \n\u0301", max_size=300)

SENTIMENT = Sentiment(["<pad>", "<unk>", "a", "b", "!", "i"], 8, 8)
RAIN = Rainfall([0.0] * len(FEATURES), [1.0] * len(FEATURES))
ABC = ["<boundary>", *sorted({"\n", *map(chr, range(32, 127))})]


@fuzzed
@given(ANYTHING | TAG_LIKE)
def test_any_text_becomes_indices_of_the_tokens_it_has(text: str) -> None:
    encoded, tokens = SENTIMENT.encode(text), list(tokenize(text))
    assert encoded.tokens == len(tokens)
    assert len(encoded.ids) == max(1, encoded.read) <= 16
    assert set(encoded.ids.tolist()) <= set(range(1, 6))
    assert [token for token in tokens if not 0 <= token.start < token.end <= len(text)] == []


LARGE: dict[str, Callable[[int], str]] = {
    "one word": lambda size: "a" * size,
    "combining marks": lambda size: "a" + "\u0301" * size,
    "open tags": lambda size: "<a" * (size // 2),
    "open tags of the longest kind": lambda size: ("<" + "a" * 101) * (size // 102),
    "apostrophes": lambda size: "a'" * (size // 2),
    "letters that grow when lowered": lambda size: "\u0130" * size,
    "underscores": lambda size: "_" * size,
    "all planes": lambda size: "".join(map(chr, range(0xE000, 0xE000 + size))),
}


@pytest.mark.parametrize("kind", LARGE)
def test_time_grows_with_the_text_and_not_faster(kind: str) -> None:
    def seconds(size: int) -> float:
        text = LARGE[kind](size)
        best = math.inf
        for _ in range(3):
            started = time.thread_time()  # of this thread alone, whoever else is at work
            SENTIMENT.encode(text)
            best = min(best, time.thread_time() - started)
        return best

    assert seconds(200_000) < 40 * seconds(20_000) + 0.05


def test_every_character_there_is_can_be_read_alone_and_doubled() -> None:
    for code in range(0, sys.maxunicode + 1, 7):
        character = chr(code)
        assert len(SENTIMENT.encode(character * 2).ids) >= 1
        assert unicodedata.category(character) != "Zs" or SENTIMENT.encode(character).tokens == 0


def allowed(name: str) -> st.SearchStrategy[float | None]:
    limits = {type(limit).__name__: limit for limit in Scan.model_fields[name].metadata}
    if not limits:  # they are written within the type of a measurement that may be missing
        schema = next(kind for kind in Scan.model_json_schema()["properties"][name]["anyOf"] if kind["type"] == "number")
        return st.none() | st.floats(schema["minimum"], schema["maximum"])
    return st.floats(limits["Ge"].ge, limits["Le"].le)


SCANS = st.fixed_dictionaries({"minutes_past": st.floats(0, 60)}, optional={name: allowed(name) for name in MEASUREMENTS})


@fuzzed
@given(st.floats(0, 1000), st.lists(SCANS, min_size=1, max_size=60))
def test_any_hour_within_the_limits_becomes_finite_numbers(distance: float, scans: list[dict[str, float | None]]) -> None:
    body = RadarHour.model_validate_json(json.dumps({"radardist_km": distance, "scans": scans}))
    hour = Hour.from_scans(body.radardist_km, [scan.model_dump() for scan in body.scans])
    seen: list[Tensors] = []

    def run(feeds: Tensors) -> Tensors:
        seen.append(feeds)
        return {"quantiles_mm": np.array([[0.0, 1.0, 2.0]], np.float32)}

    (prediction,) = RAIN.answer(run, [hour])
    assert np.isfinite(seen[0]["scans"]).all()
    assert all(math.isfinite(value) and value >= 0 for value in prediction.baselines_mm.values())
    assert prediction.scans_used == sum(scan.get("Ref") is not None for scan in scans)


VOCABULARIES = st.lists(st.text(st.characters(exclude_categories=()), min_size=1, max_size=2), unique=True, max_size=20)


@fuzzed
@given(VOCABULARIES, st.booleans(), st.lists(st.integers(0), max_size=120), st.integers(1, 200))
def test_the_grammar_takes_any_character_and_always_leaves_one(
    extra: list[str], knows_abc: bool, indices: list[int], left: int
) -> None:
    vocabulary = list(dict.fromkeys([*(ABC if knows_abc else ABC[:1]), *extra]))
    grammar = TuneGrammar(Alphabet(vocabulary))
    for index in [*map(vocabulary.index, "X:1\nM:" if knows_abc else ""), *indices]:
        grammar.push(index % len(vocabulary))
        mask = grammar.allowed(left)
        assert mask.shape == (len(vocabulary),)
        assert mask.any()


@fuzzed
@given(
    st.lists(st.sampled_from("X:1\nL:1/8\nM:6/8K:Gabc|[]:(3\"'!+{}-^_=<>/0123456789 ²٣Ⅷ"), max_size=150), st.integers(1, 300)
)
def test_the_grammar_takes_tunes_with_digits_of_any_script(tune: list[str], left: int) -> None:
    vocabulary = [*ABC, "²", "٣", "Ⅷ"]
    grammar = TuneGrammar(Alphabet(vocabulary))
    for character in tune:
        grammar.push(vocabulary.index(character))
        assert grammar.allowed(left).any()


@fuzzed
@given(ANYTHING)
def test_a_prompt_is_made_plain_once_and_read_or_refused(text: str) -> None:
    once = plain(text)
    assert plain(once) in {once, once.replace("\r\n", "\n")}
    assert len(once) <= len(text)
    music: Any = Music(ABC, {})
    try:
        assert len(music.encode(text)) == len(once) + 1
    except InvalidInput as error:
        error.detail.encode()  # it can be sent
