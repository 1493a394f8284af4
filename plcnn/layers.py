"""The layers of a network with their output shapes, trainable parameters and statistics."""

from typing import Any

import torch
from torch import Tensor, nn


def counts(module: nn.Module, recurse: bool = True) -> tuple[int, int]:
    """How many trainable numbers and how many statistics (floating-point buffers) a module holds."""
    trainable = sum(p.numel() for p in module.parameters(recurse) if p.requires_grad)
    return trainable, sum(b.numel() for b in module.buffers(recurse) if b.is_floating_point())


def layer_table(network: nn.Module, image_shape: tuple[int, ...]) -> list[dict[str, Any]]:
    """The layers without children, in the order in which a picture passes them.

    Args:
        network: the network; it is left as it was.
        image_shape: channels, height and width of a picture.

    Returns:
        A dict a layer: name, type, output (shape without the batch), trainable, statistics.
    """
    rows: list[dict[str, Any]] = []
    names = {module: name for name, module in network.named_modules()}

    def note(layer: nn.Module, inputs: Any, output: Any) -> None:
        shape = tuple(output.shape[1:]) if isinstance(output, Tensor) else ()
        trainable, statistics = counts(layer)
        row = {"name": names[layer], "type": type(layer).__name__, "output": shape}
        rows.append({**row, "trainable": trainable, "statistics": statistics})

    leaves = [m for m in network.modules() if not list(m.children())]
    handles = [leaf.register_forward_hook(note) for leaf in leaves]
    training = network.training
    try:
        device = next((p.device for p in network.parameters()), torch.device("cpu"))
        with torch.no_grad():
            network.eval()(torch.zeros(1, *image_shape, device=device))
    finally:
        network.train(training)
        for handle in handles:
            handle.remove()
    return rows


def as_text(rows: list[dict[str, Any]]) -> str:
    """A layer table as columns of text."""
    from rich.console import Console
    from rich.table import Table

    table = Table("layer", "type", "output", box=None, pad_edge=False)
    table.add_column("trainable", justify="right")
    table.add_column("statistics", justify="right")
    for row in rows:
        shape = " × ".join(map(str, row["output"]))
        table.add_row(row["name"], row["type"], shape, f"{row['trainable']:,}", f"{row['statistics']:,}")
    console = Console(width=100, force_jupyter=False)  # in a notebook, too, what is captured is text
    with console.capture() as capture:
        console.print(table)
    return capture.get().rstrip()
