"""The Gatehouse service: recurrent networks behind a REST interface. Never imports torch."""

import os
from importlib.metadata import version

# onnxruntime reports its use to its makers unless this is set before it is loaded. A service must not call home.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = version("gatehouse")
