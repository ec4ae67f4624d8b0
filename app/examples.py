"""Examples for every operation. Each question succeeds when sent as it stands; feedback, to the path of a record of its task.

Answers begin with what the shipped bundles say to them."""

import json
from typing import Any

SENTIMENT: dict[str, Any] = {
    "texts": ["A quiet, moving film.", "Two hours I will never get back."],
    "explain": True,
}

RAINFALL: dict[str, Any] = {
    "hours": [
        {
            "radardist_km": 10.0,
            "scans": [
                {
                    "minutes_past": 3,
                    "Ref": 12.5,
                    "Ref_5x5_10th": 8.0,
                    "Ref_5x5_50th": 12.0,
                    "Ref_5x5_90th": 17.5,
                    "RefComposite": 15.0,
                    "RefComposite_5x5_10th": 10.5,
                    "RefComposite_5x5_50th": 16.5,
                    "RefComposite_5x5_90th": 23.5,
                    "RhoHV": 0.998,
                    "RhoHV_5x5_10th": None,
                    "RhoHV_5x5_50th": 0.998,
                    "RhoHV_5x5_90th": 0.998,
                    "Zdr": 0.375,
                    "Zdr_5x5_10th": -0.125,
                    "Zdr_5x5_50th": 0.3125,
                    "Zdr_5x5_90th": 0.875,
                    "Kdp": 1.06,
                    "Kdp_5x5_10th": -1.41,
                    "Kdp_5x5_50th": -0.35,
                    "Kdp_5x5_90th": 1.06,
                },
                {"minutes_past": 23, "Ref": 28.0, "RefComposite": 31.5, "RhoHV": 0.985},
                {"minutes_past": 47, "Ref": 33.5, "RefComposite": 36.0, "RhoHV": 0.991, "Kdp": 0.7},
            ],
        }
    ]
}

_PROMPT = "X:1\nT:Morning\nM:6/8\nL:1/8\nK:G\n"

FEEDBACK: dict[str, Any] = {"item": 1, "label": "negative"}
"""For the record of SENTIMENT."""

MUSIC_NEXT: dict[str, Any] = {"prompt": _PROMPT, "top_k": 10}

MUSIC_GENERATE: dict[str, Any] = {
    "prompt": _PROMPT,
    "max_characters": 600,
    "temperature": 0.9,
    "top_p": 0.95,
    "seed": 7,
    "stream": False,
}


CELLS: dict[str, Any] = {"text": "It starts slowly, but the ending is wonderful."}


def _answer(task: str, version: str, **said: Any) -> dict[str, Any]:
    return {
        "request_id": "01a210a4-5515-75e3-8dbf-06a67ba33bea",
        "model": {"task": task, "version": version, "cell": version.split("-")[1]},
        "timing_ms": {"encode": 0.114, "queue": 0.899, "run": 6.545},
        **said,
    }


SENTIMENT_ANSWER = _answer(
    "sentiment",
    "20261127-lstm-a2e3e5",
    predictions=[
        {
            "label": "positive",
            "probability": 0.9980176472360243,
            "tokens_read": 6,
            "truncated": False,
            "words": [
                {"text": "A", "start": 0, "end": 1, "weight": 0.8949570715627344},
                {"text": "quiet", "start": 2, "end": 7, "weight": 1.8952602828753984},
                {"text": ",", "start": 7, "end": 8, "weight": 0.35592614536525463},
                {"text": "moving", "start": 9, "end": 15, "weight": 2.218207985940663},
                {"text": "film", "start": 16, "end": 20, "weight": 1.0684681237104894},
                {"text": ".", "start": 20, "end": 21, "weight": 0.0476045801216671},
            ],
        }
    ],
)
RAINFALL_ANSWER = _answer(
    "rainfall",
    "20261128-gru-5c0c3c",
    predictions=[
        {
            "rain_mm": 1.9552996303552748,
            "interval_90_mm": [0.24371586683517293, 9.821529967959545],
            "scans_used": 3,
            "baselines_mm": {
                "marshall_palmer": 3.4848492262712547,
                "z_zdr": 3.1618955714932415,
                "kdp": 23.11312384979624,
                "csu_blend": 3.1649493340140777,
            },
        }
    ],
)
_MUSIC = "20261123-lstm-4ca2a1"
MUSIC_NEXT_ANSWER = _answer(
    "music",
    _MUSIC,
    characters=[
        {"character": "D", "probability": 0.22589325904846191},
        {"character": "B", "probability": 0.20738078653812408},
        {"character": "G", "probability": 0.1381320059299469},
    ],
    bits_per_character=1.5968601767218626,
)
_CONTINUATION = "G | B>AG BAG | A3 B>cd | ede gfe | dBG G2e |\ndBG dBG | B2G AGA | BAG A2B | dcA G2z |]\n"
MUSIC_GENERATE_ANSWER = _answer(
    "music", _MUSIC, abc=_PROMPT + _CONTINUATION, continuation=_CONTINUATION, finished=True, seed=MUSIC_GENERATE["seed"]
)


def _inference(name: str, strings: list[str], **rest: Any) -> dict[str, Any]:
    return {"inputs": [{"name": name, "shape": [len(strings)], "datatype": "BYTES", "data": strings}], **rest}


OPEN_INFERENCE: dict[str, dict[str, Any]] = {
    "sentiment": {"summary": "Ask sentiment", "value": _inference("text", SENTIMENT["texts"], id="42")},
    "rainfall": {
        "summary": "Ask rainfall",
        "value": _inference(
            "hour", [json.dumps(hour) for hour in RAINFALL["hours"]], outputs=[{"name": "rain_mm"}, {"name": "scans_used"}]
        ),
    },
    "music": {
        "summary": "Ask music",
        "value": _inference("prompt", [_PROMPT], parameters={"max_characters": 200, "seed": 7}),
    },
}
"""Model -> a request to it, as OpenAPI describes examples."""
