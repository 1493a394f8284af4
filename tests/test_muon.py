"""Muon, against its rule written out, and what it hands to the other optimizer."""

import copy

import pytest
import torch
from torch.nn import Parameter

from plcnn.errors import UserError
from plcnn.muon import orthogonalized
from plcnn.optim import optimizers


def parameters() -> list[Parameter]:
    """A filter bank, a bias, a frozen scale, a hidden matrix and a last matrix."""
    torch.manual_seed(0)
    shapes = [(4, 3, 3, 3), (4,), (4,), (6, 5), (2, 6)]
    tensors = [Parameter(torch.randn(shape, dtype=torch.float64)) for shape in shapes]
    tensors[2].requires_grad_(False)
    return tensors


@pytest.mark.parametrize("shape", [(8, 20), (20, 8)])
def test_singular_values_come_near_one_and_directions_stay(shape: tuple[int, int]) -> None:
    torch.manual_seed(1)
    matrix = torch.randn(shape, dtype=torch.float64)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    near = torch.diagonal(u.T @ orthogonalized(matrix) @ v.T)
    assert float(near.min()) > 0.5 and float(near.max()) < 1.3
    torch.testing.assert_close(u * near @ v, orthogonalized(matrix))


def test_three_steps_are_the_rule_written_out() -> None:
    params = parameters()
    expected = [p.detach().clone() for p in params]
    buffers = [torch.zeros_like(p) for p in params]
    arguments = {"lr": 0.1, "momentum": 0.6, "bias_lr": 0.05, "head_lr": 0.5, "sgd_momentum": 0.8, "weight_decay": 0.02}
    optimizer = optimizers.choose("muon", **arguments).build(params)
    for step in range(3):
        gradients = [torch.full_like(p, 0.1).mul_(p.detach().sin() + step) for p in params]
        for parameter, gradient in zip(params, gradients, strict=True):
            parameter.grad = gradient.clone() if parameter.requires_grad else None
        optimizer.step()
        for i in (0, 3):
            buffers[i] = 0.6 * buffers[i] + gradients[i]
            update = orthogonalized((gradients[i] + 0.6 * buffers[i]).reshape(len(expected[i]), -1))
            normal = expected[i] * len(expected[i]) ** 0.5 / expected[i].norm()
            expected[i] = normal - 0.1 * update.view_as(normal)
        for i, lr in ((1, 0.05), (4, 0.5)):
            gradient = gradients[i] + 0.02 / lr * expected[i]
            buffers[i] = gradient if step == 0 else 0.8 * buffers[i] + gradient
            expected[i] = expected[i] - lr * (gradient + 0.8 * buffers[i])
        for parameter, value in zip(params, expected, strict=True):
            torch.testing.assert_close(parameter.detach(), value)


def test_its_state_goes_on_after_loading() -> None:
    def step(params: list[Parameter], optimizer: torch.optim.Optimizer) -> None:
        for parameter in params:
            parameter.grad = parameter.detach().cos() if parameter.requires_grad else None
        optimizer.step()

    first = parameters()
    optimizer = optimizers.choose("muon").build(first)
    step(first, optimizer)
    second = [Parameter(p.detach().clone(), requires_grad=p.requires_grad) for p in first]
    loaded = optimizers.choose("muon").build(second)
    loaded.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    step(first, optimizer)
    step(second, loaded)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("arguments", [{"momentum": 1.0}, {"sgd_momentum": 0.0}, {"head_lr": 0.0}])
def test_values_out_of_range_are_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(UserError):
        optimizers.choose("muon", **arguments).build(parameters())


def test_decoupled_decay_does_not_depend_on_the_learning_rate() -> None:
    for lr in (0.01, 1.0):
        weight, bias = Parameter(torch.ones(2, 2)), Parameter(torch.ones(2))
        optimizer = optimizers.choose("sgdw", lr=lr, weight_decay=0.01, momentum=0.5, bias_lr_factor=3.0)
        weight.grad, bias.grad = torch.zeros(2, 2), torch.zeros(2)
        built = optimizer.build([weight, bias])
        assert [group["lr"] for group in built.param_groups] == pytest.approx([lr, 3 * lr])
        built.step()
        # Nesterov's first step is 1 + momentum of the gradient
        torch.testing.assert_close(weight.detach(), torch.full((2, 2), 1 - 0.01 * 1.5))
        torch.testing.assert_close(bias.detach(), torch.full((2,), 1 - 0.01 * 1.5))
