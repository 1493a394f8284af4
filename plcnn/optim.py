"""Optimizers by name: builders that take the parameters first."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch.nn import Parameter

from plcnn.choice import Choice
from plcnn.errors import UserError
from plcnn.muon import Muon
from plcnn.registry import Registry


class Optimizer(Choice):
    """An optimizer by its registered name, with its arguments."""


optimizers = Registry(Optimizer, given=("params",), needs=("params",))


@optimizers.register
def adam(
    params: Iterable[Parameter],
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    fused: bool = True,
) -> torch.optim.Optimizer:
    """Adam (Kingma and Ba, 2014, arXiv:1412.6980).

    Args:
        params: the parameters to train.
        lr: learning rate.
        betas: decay of the running averages of the gradient and of its square.
        eps: added to the denominator.
        weight_decay: L2 penalty, added to the gradient.
        fused: one kernel for all parameters; false where the device has none.
    """
    return torch.optim.Adam(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=fused)


@optimizers.register
def adamw(
    params: Iterable[Parameter],
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.01,
    fused: bool = True,
) -> torch.optim.Optimizer:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2017, arXiv:1711.05101).

    Args:
        params: the parameters to train.
        lr: learning rate.
        betas: decay of the running averages of the gradient and of its square.
        eps: added to the denominator.
        weight_decay: share of each weight taken off a step, times the learning rate.
        fused: one kernel for all parameters; false where the device has none.
    """
    return torch.optim.AdamW(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=fused)


@optimizers.register
def sgd(
    params: Iterable[Parameter],
    lr: float = 0.1,
    momentum: float = 0.9,
    nesterov: bool = True,
    weight_decay: float = 0.0,
    fused: bool = True,
) -> torch.optim.Optimizer:
    """Stochastic gradient descent with momentum.

    Args:
        params: the parameters to train.
        lr: learning rate.
        momentum: decay of the running sum of gradients.
        nesterov: look ahead along the momentum; needs momentum above 0.
        weight_decay: L2 penalty, added to the gradient.
        fused: one kernel for all parameters; false where the device has none.
    """
    if nesterov and momentum <= 0:
        raise UserError(f"momentum={momentum}: nesterov needs a momentum above 0; add --model.optimizer.nesterov false")
    return torch.optim.SGD(params, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay, fused=fused)


@optimizers.register
def rmsprop(
    params: Iterable[Parameter],
    lr: float = 1e-3,
    alpha: float = 0.99,
    eps: float = 1e-8,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
) -> torch.optim.Optimizer:
    """RMSprop (Hinton, lecture 6e of Neural Networks for Machine Learning, 2012).

    Args:
        params: the parameters to train.
        lr: learning rate.
        alpha: decay of the running average of the squared gradient.
        eps: added to the denominator.
        momentum: decay of the running sum of gradients.
        weight_decay: L2 penalty, added to the gradient.
    """
    return torch.optim.RMSprop(params, lr=lr, alpha=alpha, eps=eps, momentum=momentum, weight_decay=weight_decay)


@optimizers.register
def sgdw(
    params: Iterable[Parameter],
    lr: float = 0.1,
    momentum: float = 0.9,
    weight_decay: float = 5e-5,
    bias_lr_factor: float = 1.0,
    fused: bool = True,
) -> torch.optim.Optimizer:
    """Nesterov SGD whose weight decay does not depend on the learning rate, as in the CIFAR-10 speed records.

    Loshchilov and Hutter, 2017, arXiv:1711.05101; Jordan, 2024, arXiv:2404.00498.

    Args:
        params: the parameters to train.
        lr: learning rate.
        momentum: decay of the running sum of gradients, above 0.
        weight_decay: share of each weight taken off a step, times the schedule's factor.
        bias_lr_factor: how much greater the learning rate of biases and norms is.
        fused: one kernel for all parameters; false where the device has none.
    """
    by_kind = _by_dimensions(params)
    groups = [(by_kind[False], lr), (by_kind[True], lr * bias_lr_factor)]
    return _decoupled_sgd(groups, momentum, weight_decay, fused)


def _by_dimensions(params: Iterable[Parameter]) -> dict[bool, list[Parameter]]:
    """The trainable parameters: vectors (biases and norms) at True, all others at False."""
    by_kind: dict[bool, list[Parameter]] = {False: [], True: []}
    for parameter in params:
        if parameter.requires_grad:
            by_kind[parameter.ndim < 2].append(parameter)
    return by_kind


def _decoupled_sgd(
    groups: list[tuple[list[Parameter], float]], momentum: float, weight_decay: float, fused: bool
) -> torch.optim.SGD:
    """Nesterov SGD of parameters with their learning rates; decay / lr as L2 penalty takes off `decay` a step."""
    if momentum <= 0:
        raise UserError(f"momentum={momentum}: above 0, as nesterov needs it; e.g. momentum=0.9")
    if min(lr for _, lr in groups) <= 0:
        raise UserError(f"lr={min(lr for _, lr in groups)}: every learning rate must be above 0")
    with_decay = [{"params": params, "lr": lr, "weight_decay": weight_decay / lr} for params, lr in groups if params]
    return torch.optim.SGD(with_decay, momentum=momentum, nesterov=True, fused=fused)


@optimizers.register
def muon(
    params: Iterable[Parameter],
    lr: float = 0.24,
    momentum: float = 0.6,
    normalize: bool = True,
    bias_lr: float = 0.05,
    head_lr: float = 0.05,
    sgd_momentum: float = 0.85,
    weight_decay: float = 0.004,
) -> torch.optim.Optimizer:
    """Muon for convolutions and hidden matrices; Nesterov SGD for biases, norms and the last layer.

    Jordan and others, "Muon: An optimizer for hidden layers", 2024, https://kellerjordan.github.io/posts/muon/; as in
    airbench94_muon.py, https://github.com/KellerJordan/cifar10-airbench.

    Args:
        params: the parameters to train.
        lr: learning rate of Muon's updates, which are near-orthogonal matrices.
        momentum: decay of Muon's running sum of gradients, 0 to below 1.
        normalize: bring each filter bank to a norm of the square root of its filters before its step; for layers that
            a normalisation follows.
        bias_lr: learning rate of biases and norms.
        head_lr: learning rate of the last matrix.
        sgd_momentum: momentum of biases, norms and the last matrix, above 0.
        weight_decay: share of each of these taken off a step, times the schedule's factor.
    """
    if not 0 <= momentum < 1:
        raise UserError(f"momentum={momentum}: from 0 to below 1, e.g. momentum=0.6")
    by_kind = _by_dimensions(params)
    hidden, head = by_kind[False][:-1], by_kind[False][-1:]
    others = [(head, head_lr), (by_kind[True], bias_lr)]
    return Muon(hidden, _decoupled_sgd(others, sgd_momentum, weight_decay, fused=False), lr, momentum, normalize)


def scale_rates(optimizer: torch.optim.Optimizer, factors: Mapping[Parameter, float]) -> None:
    """Multiply the learning rate of single parameters: each group is split by factor, the greatest first.

    Args:
        optimizer: changed in place; all else of its groups stays.
        factors: by parameter; 1 for those that are not in it. Without any, nothing is split.
    """
    if not factors:
        return
    split = []
    for group in optimizer.param_groups:
        for factor in sorted({factors.get(parameter, 1.0) for parameter in group["params"]}, reverse=True):
            params = [parameter for parameter in group["params"] if factors.get(parameter, 1.0) == factor]
            split.append({**group, "params": params, "lr": group["lr"] * factor})
    optimizer.param_groups[:] = split


@contextmanager
def trainable(frozen: Iterable[Parameter]) -> Iterator[None]:
    """Let frozen parameters look trainable while an optimizer is built: they may thaw later."""
    before = [(parameter, parameter.requires_grad) for parameter in frozen]
    for parameter, _ in before:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for parameter, required in before:
            parameter.requires_grad_(required)
