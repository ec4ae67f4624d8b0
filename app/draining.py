"""Draining: on SIGTERM readiness goes first, so that load balancers look elsewhere, and the listener some time later."""

import os
import signal
import threading
from types import FrameType
from typing import Any

from fastapi import FastAPI

from app.metrics import SHARED


def announce_end(app: FastAPI, notice_s: float) -> None:
    """At the first SIGTERM, `app.state.draining` is set, and the server's own handler is called `notice_s` later.

    That one ends the listening and waits for what was accepted. A second signal, or one from the keyboard, is obeyed at once.
    Of several processes each gets a second one where systemd tells them all to end, as it does: from the one that started them.
    Signals reach the main thread only: elsewhere, as in tests, there is nothing to do.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    end: Any = signal.getsignal(signal.SIGTERM)
    if not callable(end):
        return

    is_alone = SHARED not in os.environ

    def begin(number: int, frame: FrameType | None) -> None:
        if app.state.draining:
            if is_alone:
                end(number, frame)
            return
        app.state.draining = True
        timer = threading.Timer(notice_s, end, (number, frame))
        timer.daemon = True
        timer.start()

    signal.signal(signal.SIGTERM, begin)
