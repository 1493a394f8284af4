"""`--trainer.strategy fsdp`: PyTorch's fully sharded data parallelism through Lightning's strategy, on CPUs, too.

Lightning (2.6) refuses its own strategy without a GPU, by name and class alone, and names the device by its number,
which a CPU has not. PyTorch and gloo can do it.
"""

from functools import partial
from typing import Any

import torch
from lightning.pytorch.strategies import FSDPStrategy
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel, MixedPrecision
from torch.distributed.fsdp.wrap import size_based_auto_wrap_policy

UNIT = 100_000
"""Parts of a network with at least so many parameters are gathered one at a time."""


class Sharded(FSDPStrategy):
    """Spreads weights, gradients and the optimizer's state over the devices; checkpoints are whole, as without it."""

    def __init__(self) -> None:
        policy = partial(size_based_auto_wrap_policy, min_num_params=UNIT)
        super().__init__(auto_wrap_policy=policy, state_dict_type="full")

    @property
    def mixed_precision_config(self) -> MixedPrecision | None:
        """None where all is float32, of which FSDP would make a remark for each batch norm."""
        return None if self.precision_plugin.precision == "32-true" else super().mixed_precision_config

    def _setup_model(self, model: nn.Module) -> nn.Module:
        # of channels-last weights FSDP (PyTorch 2.14) gathers the optimizer's state in another order than it spreads it
        model = model.to(memory_format=torch.contiguous_format)
        if self.root_device.type != "cpu":
            return super()._setup_model(model)
        return FullyShardedDataParallel(
            model,
            mixed_precision=self.mixed_precision_config,
            sharding_strategy=self.sharding_strategy,
            device_id=self.root_device,
            **self.kwargs,
        )

    def optimizer_state(self, optimizer: Any) -> dict[str, Any]:
        """The whole state of the optimizer, on rank zero.

        PyTorch (2.14) gathers the tensors of a parameter's state one after the other in one buffer, and on a CPU makes
        no copy in between: Adam's two moments would both be the second. There each kind is gathered by itself.
        """
        inner = getattr(optimizer, "_optimizer", optimizer)
        all_kinds = inner.state
        kinds = sorted({name for state in all_kinds.values() for name in state if _is_spread(state[name])})
        if self.root_device.type != "cpu" or len(kinds) < 2:
            return super().optimizer_state(inner)
        gathered: dict[str, Any] = {}
        try:
            for kind in kinds:
                inner.state = {
                    parameter: {name: value for name, value in state.items() if name == kind or not _is_spread(value)}
                    for parameter, state in all_kinds.items()
                }
                found: dict[str, Any] = super().optimizer_state(inner)
                gathered = gathered or found
                for parameter, state in found.get("state", {}).items():
                    gathered["state"][parameter] |= state
        finally:
            inner.state = all_kinds
        return gathered

    def on_validation_start(self) -> None:
        """Validate on all ranks with the first one's statistics of batch norm, which the checkpoint holds."""
        assert self.lightning_module is not None
        for buffer in self.lightning_module.buffers():
            torch.distributed.broadcast(buffer, 0)


def _is_spread(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.dim() > 0
