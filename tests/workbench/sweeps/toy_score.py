"""A metric that a searched value decides, copied into the projects that tests make."""

from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS


@METRICS.register_module()
class ToyScore(BaseMetric):
    """Best at ``value`` 0.3, whatever the model does; ``weights`` is a list to choose."""

    def __init__(self, value: float, weights: list) -> None:
        super().__init__()
        self.value, self.weights = value, weights

    def process(self, data_batch: dict, data_samples: list) -> None:
        self.results.append(len(data_samples))

    def compute_metrics(self, results: list) -> dict:
        return {"score": 1 - (self.value - 0.3) ** 2 + 0.1 * self.weights[0]}
