"""The Gate: how many requests of a task may be inside, and how soon a refused one should come back."""

import math
import time

_MEMORY_S = 5.0  # the drain rate is that of about the last so many seconds
_LONGEST_RETRY_S = 60


class Overloaded(Exception):
    """No request of this task is let in now; worth trying again after `retry_after_s` whole seconds."""

    def __init__(self, detail: str, retry_after_s: int) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class Gate:
    """Counts on the event loop alone, so that a refusal costs microseconds and waits for no thread."""

    def __init__(self, task: str, most_requests: int) -> None:
        self._task, self._most = task, most_requests
        self._inside = 0
        self._left, self._last = 0.0, time.monotonic()  # requests that left, fading with _MEMORY_S

    @property
    def inside(self) -> int:
        """Requests waiting and being answered now."""
        return self._inside

    def check(self) -> None:
        """Raises Overloaded at once if too many are inside."""
        if self._inside >= self._most:
            detail = f"{self._most} requests for {self._task} are being answered or waiting, which is the most allowed"
            raise Overloaded(detail, self.retry_after_s())

    def enter(self) -> None:
        """Raises Overloaded as `check` does; else `leave` must follow."""
        self.check()
        self._inside += 1

    def leave(self) -> None:
        """The request is answered, or its caller went away."""
        self._inside -= 1
        self._fade()
        self._left += 1.0

    def retry_after_s(self) -> int:
        """Whole seconds until those inside will have left at the rate of late; 1 while nothing is known."""
        self._fade()
        a_second = self._left / _MEMORY_S
        return min(_LONGEST_RETRY_S, max(1, math.ceil(self._inside / a_second))) if a_second > 0.01 else 1

    def _fade(self) -> None:
        now = time.monotonic()
        self._left *= math.exp((self._last - now) / _MEMORY_S)
        self._last = now
