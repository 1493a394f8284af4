"""Fine-tuning: which layers are trained when, and how fast.

Gradual unfreezing and discriminative learning rates: Howard and Ruder, "Universal Language Model Fine-tuning for Text
Classification", 2018, https://arxiv.org/abs/1801.06146. What is a layer group, and what the head, says
`plcnn.layer_groups`.
"""

from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import SingleDeviceStrategy
from lightning.pytorch.trainer.states import TrainerFn
from torch.optim import Optimizer

from plcnn import terminal
from plcnn.classifier import Classifier
from plcnn.errors import UserError, wrong_value
from plcnn.layer_groups import frozen_statistics, layer_groups, name_of
from plcnn.processes import has_whole_weights

Policy = Literal["none", "head", "head_first", "gradual"]

RATE_DECAY = "rate_decay"


class FineTune(Callback):
    """Freezes layers, and trains lower layers more slowly.

    What is frozen depends on the epoch alone, so that a run that goes on ends as one that was never stopped. Frozen
    normalisation layers keep their statistics. The optimizer knows all parameters from the start, and leaves alone
    those that have no gradient.

    Args:
        policy: "none" freezes nothing; "head" trains the head alone; "head_first" does so for `every_n_epochs`, and
            then trains everything; "gradual" thaws one more layer group, from the head down, every so many epochs.
        every_n_epochs: epochs between two thaws.
        rate_decay: the learning rate of each layer group as a share of that of the group above it, above 0 to 1.

    Raises:
        UserError: a value outside its range.
    """

    def __init__(self, policy: Policy = "none", every_n_epochs: int = 1, rate_decay: float = 1.0) -> None:
        if every_n_epochs < 1:
            raise wrong_value("--finetune.every_n_epochs", every_n_epochs, "a number of epochs, 1 or more", 2)
        if not 0 < rate_decay <= 1:
            raise wrong_value("--finetune.rate_decay", rate_decay, "a share above 0, up to 1", 0.7)
        self.policy, self.every_n_epochs, self.rate_decay = policy, every_n_epochs, rate_decay
        self._groups: list[list[str]] = []
        self._sizes: dict[str, int] = {}
        self._trained = 0
        self._epochs: int | None = None

    @property
    def _is_used(self) -> bool:
        return self.policy != "none" or self.rate_decay < 1

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Find the layer groups, and freeze what is frozen before a strategy wraps the network.

        Raises:
            UserError: if the weights are spread over devices.
        """
        if stage != "fit" or not self._is_used:
            return
        assert isinstance(pl_module, Classifier)
        if not has_whole_weights(trainer):
            raise UserError(
                "--finetune: layers can be frozen, and have rates of their own, where each device holds all weights: "
                "on one device, or with --trainer.strategy ddp.",
                exit_code=2,
            )
        self._groups = layer_groups(pl_module.net, len(pl_module.classes))
        self._epochs = trainer.max_epochs
        self._sizes = {n: p.numel() for n, p in pl_module.net.named_parameters() if p.requires_grad}
        if self.rate_decay < 1:
            depths = enumerate(reversed(self._groups))
            pl_module.rate_factors = {name: self.rate_decay**depth for depth, group in depths for name in group}
        self._freeze(trainer, pl_module, 0)

    def groups_in(self, epoch: int) -> int:
        """How many layer groups, from the head down, are trained in an epoch, counted from 0."""
        if self.policy == "none" or (self.policy == "head_first" and epoch >= self.every_n_epochs):
            return len(self._groups)
        return min(1 + epoch // self.every_n_epochs, len(self._groups)) if self.policy == "gradual" else 1

    def _names_in(self, epoch: int) -> list[str]:
        """The parameters that are trained in an epoch; those that the network itself keeps from it are not."""
        trained = self._groups[len(self._groups) - self.groups_in(epoch) :]
        return [name for group in trained for name in group if name in self._sizes]

    def _numbers_in(self, epoch: int) -> int:
        return sum(self._sizes[name] for name in self._names_in(epoch))

    def _freeze(self, trainer: Trainer, pl_module: Classifier, epoch: int) -> None:
        """Have an epoch's layers trained, and no others.

        Several devices expect a gradient of every parameter that was trainable when they were joined: there, what thaws
        later computes one that is then dropped.
        """
        self._trained = self.groups_in(epoch)
        trained = set(self._names_in(epoch))
        frozen = [name for name in self._sizes if name not in trained]
        if self.policy == "head" or isinstance(trainer.strategy, SingleDeviceStrategy):
            for name in self._sizes:
                pl_module.net.get_parameter(name).requires_grad_(name in trained)
        pl_module.frozen = [pl_module.net.get_parameter(name) for name in frozen]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Freeze what is frozen where a run goes on, within an epoch, too."""
        self._go_on(trainer, pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Thaw what is due, and say so."""
        before = self._trained
        self._go_on(trainer, pl_module)
        if self._trained > before and trainer.is_global_zero:
            lowest = name_of(self._groups[-self._trained])
            terminal.say(f"thawed     down to {lowest}: {self._share(trainer.current_epoch)} are trained")

    def _go_on(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.policy != "none":
            assert isinstance(pl_module, Classifier)
            self._freeze(trainer, pl_module, trainer.current_epoch)
            frozen = set(self._sizes) - set(self._names_in(trainer.current_epoch))
            keeping = set(frozen_statistics(pl_module.net, frozen))
            for layer in pl_module.net.modules():
                if getattr(layer, "running_mean", None) is not None:
                    layer.train(layer not in keeping)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Drop gradients of frozen parameters, before they are clipped: the optimizer passes those without one over."""
        assert isinstance(pl_module, Classifier)
        for parameter in pl_module.frozen:
            parameter.grad = None

    def in_words(self, epoch: int) -> str:
        """What is trained and how fast, for the opening; empty where nothing is done."""
        if not self._is_used:
            return ""
        return f"{self._share(epoch)} are trained{self._outlook(epoch)}{self._rates()}"

    def _share(self, epoch: int) -> str:
        return f"{self._numbers_in(epoch):,} of {sum(self._sizes.values()):,} parameters"

    def _outlook(self, epoch: int) -> str:
        count = len(self._groups)
        if self.groups_in(epoch) == count or self.policy == "head":
            return ""
        if self.policy == "head_first":
            missed = self._epochs and 0 < self._epochs <= self.every_n_epochs
            return f", all from epoch {self.every_n_epochs + 1} on{', after the last' if missed else ''}"
        return f", one more of {count} layer groups every {self.every_n_epochs} epochs".replace(" 1 epochs", " epoch")

    def _rates(self) -> str:
        if self.rate_decay == 1:
            return ""
        lowest = self.rate_decay ** (len(self._groups) - 1)
        return f";\n           learning rates × {self.rate_decay:g} a layer group, down to × {lowest:.3g}"

    def state_dict(self) -> dict[str, Any]:
        """What the optimizer's groups depend on, for the checkpoint."""
        return {RATE_DECAY: self.rate_decay}

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Refuse to go on with an optimizer that has other groups of parameters.

        Raises:
            UserError: if single rates were switched on or off.
        """
        held = checkpoint.get("callbacks", {}).get(self.state_key, {}).get(RATE_DECAY, 1.0)
        if trainer.state.fn == TrainerFn.FITTING and (held == 1) != (self.rate_decay == 1):
            raise UserError(
                f"--finetune.rate_decay: the run goes on with {held}, and its optimizer has groups of parameters as "
                f"that needs; {self.rate_decay} is for a new run, from its weights: --model.weights RUN",
                exit_code=2,
            )
