"""What is stored of inputs and outputs: nothing, their hashes, or all of them."""

import hashlib
import hmac
import json
from typing import Any

from pydantic_core import to_json

from app.entry import Entry
from app.settings import Settings


class Payloads:
    """As the setting `log_payloads` says."""

    def __init__(self, settings: Settings) -> None:
        self._mode = settings.log_payloads
        self._key = (settings.payload_hash_key or "").encode()

    def of(self, entry: Entry, outputs: bytes) -> tuple[Any, Any]:
        """The columns `inputs` and `outputs`; `outputs` is the answer as it is sent."""
        if self._mode == "off":
            return None, None
        if self._mode == "hashed":
            return self._hash(entry.request_body), self._hash(outputs)
        if entry.replay_of:
            return _if_json(entry.request_body), _if_json(outputs)
        inputs = entry.inputs if entry.inputs and _fits(entry.inputs) else as_payload(entry.request_body)
        return inputs, entry.outputs or as_payload(outputs)

    def _hash(self, content: bytes) -> dict[str, str] | None:
        """Without a secret, whoever can guess a text can tell that it was sent; with one, only who has it."""
        if not content:
            return None
        if self._key:
            return {"hmac_sha256": hmac.new(self._key, content, hashlib.sha256).hexdigest()}
        return {"sha256": hashlib.sha256(content).hexdigest()}


def _if_json(body: bytes) -> Any:
    """Of an answer that is sent again nobody has read what bytes beside the JSON mean; the row of the first has it."""
    payload = as_payload(body)
    return None if isinstance(payload, str) else payload


def as_payload(body: bytes) -> Any:
    """A body as it is stored: parsed where it is JSON, as text where it is not, None where it is empty."""
    if not body:
        return None
    try:
        payload = json.loads(body)
        if b"\\ud" in body.lower():
            # Half of a surrogate pair is no text: no database and no answer could carry it.
            payload = json.loads(json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")
    return payload if _fits(payload) else body.decode("utf-8", "replace")


def _fits(payload: Any) -> bool:
    """Whether databases and answers can carry it: no NaN, no number beyond all floats, no deeper nesting than answers have."""
    try:
        json.dumps(payload, allow_nan=False)
        to_json(payload)
    except (ValueError, RecursionError):
        return False
    return True
