"""What a network costs: its parameters, and the multiply-adds that one picture takes."""

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def multiply_adds(network: nn.Module, image_shape: tuple[int, ...]) -> int:
    """Count the multiply-adds of one picture's way through a network in evaluation mode.

    Those of convolutions and matrix products count, attention's included; PyTorch's FlopCounterMode counts them. Norms,
    activations and poolings are left out, as is usual.

    Args:
        network: the network; it is left as it was.
        image_shape: channels, height and width of the picture.

    Returns:
        Multiply-adds; twice as many floating-point operations.
    """
    training, fast_path = network.training, torch.backends.mha.get_fastpath_enabled()
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    # PyTorch's fused attention kernels would not be seen.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
            network.eval()(torch.zeros(1, *image_shape, device=device))
    finally:
        network.train(training)
        torch.backends.mha.set_fastpath_enabled(fast_path)
    return int(counter.get_total_flops()) // 2
