"""Pictures a second by network, batch size, precision and compilation: training steps, and evaluation.

    python benchmarks/throughput.py
    python benchmarks/throughput.py --archs keras_cnn resnet18 --batch_sizes 64 512 \\
        --precisions 32-true bf16-mixed --compile false true

The network alone, on pictures that lie on the device: no loader, no augmentation. The variants of a network and batch
size take turns; `speed-up` is against the first of them. `of peak` is the model's FLOPs, counted forward and backward
by PyTorch's FlopCounterMode, a second, as a share of the device's peak: the published bf16 one of a known card,
otherwise that of a big matrix product here.
"""

import itertools
import statistics
from typing import Any

from common import Report, median_ratio, parser, turn_by_turn

import plcnn

WARM_UP = 3


def variant(arch: str, size: int, batch_size: int, precision: str, compiled: bool, device: Any, steps: int) -> Any:
    """A function that times training and evaluation of one variant, warmed up: seconds of each."""
    import torch
    from device import Steps, seconds

    network = plcnn.build(arch, num_classes=10, image_size=size).to(device).to(memory_format=torch.channels_last)
    if compiled:
        network.compile()
    hand = Steps(network, precision, device)
    images = torch.rand(batch_size, 3, size, size, device=device).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(10, (batch_size,), device=device)

    def measure(count: int = steps) -> dict[str, float]:
        network.train()
        train = seconds(lambda: [hand.train(images, labels) for _ in range(count)], device)
        network.eval()
        return {"train": train, "eval": seconds(lambda: [hand.evaluate(images) for _ in range(count)], device)}

    measure(WARM_UP)
    return measure


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__)
    options.add_argument("--archs", nargs="+", default=["keras_cnn", "resnet18"])
    options.add_argument("--batch_sizes", nargs="+", type=int, default=[64])
    options.add_argument("--precisions", nargs="+", default=["32-true", "bf16-mixed"])
    options.add_argument("--compile", nargs="+", choices=["false", "true"], default=["false"])
    options.add_argument("--image_size", type=int, default=32)
    options.add_argument("--steps", type=int, default=20, help="a turn (default: 20)")
    given = options.parse_args(arguments)

    import torch
    from device import choose, model_flops, peak

    device = choose(given.accelerator)
    peak_flops, origin = peak(device)
    report = Report(given, device=device, peak_flops=peak_flops, peak_origin=origin)
    print(f"peak: {peak_flops / 1e12:,.4g} TFLOP/s, {origin}")
    size = given.image_size
    for arch, batch_size in itertools.product(given.archs, given.batch_sizes):
        uncompiled = plcnn.build(arch, num_classes=10, image_size=size).to(device)
        two = torch.rand(2, 3, size, size, device=device)
        flops = {kind: model_flops(uncompiled, two, 10, training=kind == "train") / 2 for kind in ("train", "eval")}
        torch.compiler.reset()
        variants = {
            (precision, compiled): variant(arch, size, batch_size, precision, compiled == "true", device, given.steps)
            for precision, compiled in itertools.product(given.precisions, given.compile)
        }
        turns = turn_by_turn(variants, given.repeats)
        first = [turn["train"] for turn in next(iter(turns.values()))]
        for (precision, compiled), measured in turns.items():
            rates = {
                kind: batch_size * given.steps / statistics.median(turn[kind] for turn in measured)
                for kind in ("train", "eval")
            }
            report.add(
                **{
                    "network": arch,
                    "batch": batch_size,
                    "precision": precision,
                    "compile": compiled,
                    "train pictures/s": rates["train"],
                    "speed-up": median_ratio(first, [turn["train"] for turn in measured]),
                    "train of peak": rates["train"] * flops["train"] / peak_flops,
                    "eval pictures/s": rates["eval"],
                    "eval of peak": rates["eval"] * flops["eval"] / peak_flops,
                    "train MFLOP/picture": flops["train"] / 1e6,
                }
            )


if __name__ == "__main__":
    main()
