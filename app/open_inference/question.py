"""A Question: a request that fits the model it is put to."""

from dataclasses import dataclass

from app.open_inference.exchange import check_parameters, wanted_in_binary
from app.open_inference.models import Columns, Model
from app.open_inference.schemas import InferenceRequest, Parameters, ResponseOutput
from app.open_inference.tensors import strings_of
from app.tasks.task import InvalidInput


@dataclass(frozen=True)
class Question:
    """strings: what the one input holds; outputs: names in the order asked for, of which `binary` go as bytes."""

    model: Model
    strings: list[str]
    shape: list[int]
    parameters: Parameters
    outputs: list[str]
    binary: set[str]

    @classmethod
    def of(cls, model: Model, asked: InferenceRequest) -> "Question":
        """Raises InvalidInput."""
        if [tensor.name for tensor in asked.inputs] != [model.input]:
            got = ", ".join(ascii(tensor.name[:40]) for tensor in asked.inputs[:5]) or "none"
            raise InvalidInput(f"got {got}, the one input is {model.input!r}", "/inputs")
        check_parameters(asked.parameters, {"binary_data_output", *model.parameters}, "/parameters")
        outputs = _outputs(model, asked)
        return cls(
            model,
            strings_of(asked.inputs[0], "/inputs/0"),
            asked.inputs[0].shape,
            {name: value for name, value in asked.parameters.items() if name in model.parameters},
            outputs,
            wanted_in_binary(asked, outputs),
        )

    def answered(self, columns: Columns) -> list[ResponseOutput]:
        """The tensors that were asked for."""
        return [
            ResponseOutput(name=name, shape=self.shape, datatype=self.model.outputs[name], data=columns[name])
            for name in self.outputs
        ]


def _outputs(model: Model, asked: InferenceRequest) -> list[str]:
    """All, where none is asked for. Raises InvalidInput."""
    names = [output.name for output in asked.outputs] or list(model.outputs)
    for position, name in enumerate(names):
        if name not in model.outputs:
            raise InvalidInput(f"got {name[:40]!r}, allowed are {', '.join(model.outputs)}", f"/outputs/{position}/name")
        if name in names[:position]:
            raise InvalidInput(f"{name!r} is asked for twice", f"/outputs/{position}/name")
    return names
