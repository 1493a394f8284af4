"""Muon: momentum whose update, taken as a matrix, is made near-orthogonal by a few Newton-Schulz iterations.

Jordan and others, "Muon: An optimizer for hidden layers in neural networks", 2024,
https://kellerjordan.github.io/posts/muon/. PyTorch's own takes matrices alone, and does not normalise weights.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

ITERATIONS = 3
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
EPS = 1e-7


class Muon(torch.optim.Optimizer):
    """Muon for filters and hidden matrices, another optimizer for all else, as one optimizer.

    Args:
        hidden: filters (out, in, height, width) and matrices (out, in).
        others: the optimizer of the other parameters; its groups become this optimizer's, its state too.
        lr: learning rate of the near-orthogonal updates.
        momentum: decay of the running sum of gradients.
        normalize: bring each parameter to a norm of the square root of its outputs before its step.
    """

    def __init__(
        self, hidden: list[Parameter], others: torch.optim.Optimizer, lr: float, momentum: float, normalize: bool
    ) -> None:
        self.others = others
        group = {"params": hidden, "lr": lr, "momentum": momentum, "normalize": normalize}
        super().__init__([group], {})
        self.param_groups += others.param_groups
        self._share()

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Take a step.

        Args:
            closure: computes the loss and the gradients.

        Returns:
            What the closure returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"] if _is_hidden(group) else ():
                if parameter.grad is not None:
                    self._step(parameter, group)
        self._share()
        self.others.step()
        return loss

    def _step(self, parameter: Parameter, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        average = state["momentum_buffer"].mul_(group["momentum"]).add_(parameter.grad)
        update = parameter.grad.add(average, alpha=group["momentum"])  # type: ignore[union-attr]
        if group["normalize"]:
            parameter.mul_(len(parameter) ** 0.5 / parameter.norm())
        parameter.add_(orthogonalized(update.flatten(1)).view_as(parameter), alpha=-group["lr"])

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state; the other optimizer goes on with its part."""
        super().load_state_dict(state_dict)
        self._share()

    def _share(self) -> None:
        """Give the other optimizer its groups, which may have been split, and the state."""
        self.others.param_groups = [group for group in self.param_groups if not _is_hidden(group)]
        self.others.state = self.state


def _is_hidden(group: dict[str, Any]) -> bool:
    return "normalize" in group


def orthogonalized(matrix: Tensor) -> Tensor:
    """Bring a matrix's singular values near 1, to about 0.7..1.2 where they are not tiny.

    Args:
        matrix: (rows, columns). On a GPU the iterations run in bfloat16.

    Returns:
        (rows, columns), in the dtype of `matrix`.
    """
    a, b, c = COEFFICIENTS
    x = matrix.bfloat16() if matrix.is_cuda else matrix
    x = x / (x.norm() + EPS)
    wide = x if len(x) <= x.shape[1] else x.T
    for _ in range(ITERATIONS):
        gram = wide @ wide.T
        wide = a * wide + (b * gram + c * gram @ gram) @ wide
    near: Tensor = wide if len(x) <= x.shape[1] else wide.T
    return near.to(matrix.dtype)
