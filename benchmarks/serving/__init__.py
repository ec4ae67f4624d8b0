"""Gatehouse under load, beside the limit of its machine and beside its rivals."""
