"""Training: data, networks, the loop and the export. Built on torch; the service does without it."""

import app  # noqa: F401 - settles how onnxruntime behaves before anything here loads it
