"""What `plcnn tune` found: the loss by the learning rate, and speed and memory by the batch size."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from plcnn.figures.style import INK, MUTED, SERIES, look, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HEADROOM = 1.15


def range_test(
    rates: Sequence[float],
    losses: Sequence[float],
    smooth: Sequence[float],
    suggestion: float | None,
    ended: str,
) -> "Figure":
    """The loss by the learning rate, on a logarithmic axis, with the suggested rate.

    Args:
        rates: of each step.
        losses: of each step's batch.
        smooth: the losses averaged over steps before and after.
        suggestion: the rate to mark; none for no mark.
        ended: why the test ended.
    """
    with look():
        figure, axes = panel(3.2)
        axes.set_xscale("log")
        axes.plot(rates, losses, ".", color=MUTED, ms=2.5, alpha=0.6, label="each step")
        axes.plot(rates, smooth, color=SERIES[0], label="averaged")
        if suggestion is not None:
            value = smooth[list(rates).index(suggestion)]
            axes.axvline(suggestion, color=SERIES[1], lw=1, ls="--")
            axes.plot([suggestion], [value], "o", color=SERIES[1], ms=6, label=f"suggested: {suggestion:.3g}")
        top = smooth[0] * _HEADROOM if smooth else 1.0
        lowest = min([*smooth, *losses], default=0.0)
        axes.set(xlabel="learning rate", ylabel="cross-entropy", ylim=(lowest - 0.05 * (top - lowest), top))
        axes.set_title(f"ended: {ended}", fontsize=8, loc="left")
        axes.xaxis.set_major_formatter(lambda rate, _: f"{rate:g}")
        axes.tick_params(axis="x", labelsize=8)
        axes.grid(True)
        axes.legend(fontsize=8, loc="lower left")
        return figure


def scaling(
    sizes: Sequence[int], speeds: Sequence[float], memory: Sequence[float], suggestion: int, ended: str
) -> "Figure":
    """Speed and memory by the batch size, with the suggested size.

    Args:
        sizes: pictures in a batch.
        speeds: pictures a second.
        memory: MiB.
        suggestion: the size to mark.
        ended: why the search ended.
    """
    from matplotlib.figure import Figure

    with look():
        figure = Figure(figsize=(4.6, 4.4), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        for axes, values, title, colour in (
            (above, speeds, "pictures/s", SERIES[0]),
            (below, memory, "memory, MiB", SERIES[2]),
        ):
            axes.set_xscale("log", base=2)
            axes.plot(sizes, values, "o-", color=colour, ms=4)
            axes.axvline(suggestion, color=SERIES[1], lw=1, ls="--")
            axes.set(ylabel=title, ylim=(0, max(values) * _HEADROOM))
            axes.grid(True)
        above.set_title(f"ended: {ended}", fontsize=8, loc="left")
        above.annotate(
            f" suggested: {suggestion}", (suggestion, 0.02), xycoords=("data", "axes fraction"), color=INK, fontsize=8
        )
        below.set_xlabel("pictures in a batch")
        below.set_xticks(sizes, [str(size) for size in sizes])
        below.minorticks_off()
        return figure
