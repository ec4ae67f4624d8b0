"""Whether every answer that a caller has is a row in the database, whatever is killed: `python -m benchmarks.durability`."""
