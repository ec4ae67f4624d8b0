"""`python -m training train ...`: the training commands without the service's."""

from training.cli import commands

commands(prog_name="python -m training")
