"""One example for every operation. Each succeeds when sent as it stands; feedback, to the path of a record of its task."""

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
