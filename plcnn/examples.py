"""Which pictures are worth a look: the mistakes a network is surest of, and the hits it is least sure of."""

from torch import Tensor

from plcnn.outputs import Outputs

KINDS = {"mistakes": "the most confident mistakes", "unsure_hits": "the least confident hits"}


def examples(outputs: Outputs, count: int) -> dict[str, Tensor]:
    """Choose pictures.

    Args:
        outputs: of a set of pictures.
        count: the most pictures of each kind.

    Returns:
        Rows of the set for each of `KINDS`, int64, the surest mistake and the least sure hit first.
    """
    confidence, right = outputs.logits.float().softmax(1).amax(1), outputs.right
    mistakes, hits = (~right).nonzero()[:, 0], right.nonzero()[:, 0]
    return {
        "mistakes": mistakes[confidence[mistakes].argsort(descending=True, stable=True)[:count]],
        "unsure_hits": hits[confidence[hits].argsort(stable=True)[:count]],
    }
