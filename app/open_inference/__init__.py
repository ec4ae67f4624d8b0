"""The Open Inference Protocol, version 2 (KServe's V2), over REST: named tensors in, named tensors out.

    https://github.com/kserve/open-inference-protocol/tree/main/specification/protocol

`exchange` takes bodies apart and puts them together, `tensors` knows datatypes, `models` is what each task looks like from
outside. The tasks behind it, their limits and their answers are those of /v1.
"""
