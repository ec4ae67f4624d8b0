"""MLServer with its adaptive batching: a custom runtime for text in, probability out."""

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.serving.rivals.model import load_judge


class Sentiment(MLModel):
    """MLServer stacks the inputs of many requests and splits the outputs again."""

    async def load(self) -> bool:
        self.judge = load_judge()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        texts = StringCodec.decode_input(payload.inputs[0])
        probabilities = np.array(self.judge(texts)).reshape(-1, 1)
        outputs = [NumpyCodec.encode_output("probability", probabilities)]
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=outputs)
