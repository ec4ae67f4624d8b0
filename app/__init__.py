"""The Gatehouse service: recurrent networks behind a REST interface. Never imports torch."""

from importlib.metadata import version

__version__ = version("gatehouse")
