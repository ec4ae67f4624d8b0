"""Scoring of whole files: rows in, a row with the answer or the fault out, in order, in constant memory.

rows.py             what every reader yields, and the one error
text_rows.py        csv and jsonl, read in a stream
arrow.py            pyarrow, where it is installed
parquet_rows.py     parquet, read in a stream
items.py            what gets one row of the output
sentiment_items.py  rows -> texts to judge
rain_items.py       rows -> radar hours to estimate
passes.py           windows of items -> answers, on all threads
outputs.py          records -> csv, jsonl or parquet
parts.py            what survives a kill: committed parts, joined at the end
score.py            all of it, from a file to a file
"""
