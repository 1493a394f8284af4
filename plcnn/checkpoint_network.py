"""The network that a checkpoint names, compared with its weights before it takes memory.

It is built without memory first, so that sizes in the file, which anybody may have made, cannot fill the machine.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from plcnn.architectures import architectures
from plcnn.errors import UserError

MOST_MODULES = 100_000
"""More parts than any network has."""

SLACK = 2**22
"""How many more numbers than the weights' a network may have until it is no longer compared name by name."""


def check_network(content: dict[str, Any], path: Path) -> None:
    """Refuse a checkpoint whose weights are not those of the network that it names, before the network takes memory.

    Args:
        content: a checkpoint that passed `checkpoint_content.check`.
        path: the file, for messages.

    Raises:
        UserError: if the architecture is not registered, cannot be built, or has other weights.
    """
    hparams, weights = content["hyper_parameters"], content["state_dict"]
    try:
        choice = architectures.choose(hparams["arch"])
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    held = {key.removeprefix("net."): tuple(t.shape) for key, t in weights.items()}
    channels, height, _ = hparams["image_shape"]
    given = {"num_classes": len(hparams["classes"]), "in_channels": channels, "image_size": height}
    try:
        with torch.device("meta"), _AtMost(weights.values()):
            network = choice.build(**given)
            own = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    except _TooLargeError:
        raise UserError(f"{path}: its weights do not fit {choice!r}: the network has more of them.") from None
    except Exception as error:
        if isinstance(error.__cause__, NotImplementedError | RuntimeError):
            return  # a network that cannot be built without memory
        raise UserError(f"{path}: {error}") from error
    problems = [
        *(f"it lacks {key}" for key in own if key not in held),
        *(f"the network has no {key}" for key in held if key not in own),
        *(f"{key} is {held[key]} there and {own[key]} in it" for key in own if held.get(key, own[key]) != own[key]),
    ]
    if problems:
        more = f" (and {len(problems) - 1:,} more)" if len(problems) > 1 else ""
        raise UserError(f"{path}: its weights do not fit {choice!r}: {problems[0]}{more}.")


class _TooLargeError(BaseException):
    """A network has more parts or numbers than the weights that it is to be given."""


class _AtMost:
    """While a network is built, ends that where it outgrows its weights."""

    def __init__(self, weights: Iterable[Tensor]) -> None:
        self._numbers = SLACK + 8 * sum(t.numel() for t in weights)  # a builder may make it some times to try things
        self._modules = MOST_MODULES

    def __enter__(self) -> None:
        self._hooks = [
            register_module_parameter_registration_hook(self._count_parameter),
            register_module_module_registration_hook(self._count_module),
        ]

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _count_parameter(self, module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        if parameter is not None and not isinstance(parameter, nn.UninitializedParameter):
            self._numbers -= parameter.numel()
        if self._numbers < 0:
            raise _TooLargeError

    def _count_module(self, module: nn.Module, name: str, part: nn.Module | None) -> None:
        self._modules -= 1
        if self._modules < 0:
            raise _TooLargeError
