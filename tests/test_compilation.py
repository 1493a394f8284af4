"""torch.compile: in place where it works, and in words where it does not."""

import pytest
import torch
from torch import nn

from plcnn import compilation

CPU = torch.device("cpu")


def test_where_nothing_can_be_compiled_the_network_runs_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_compiler(*_: object, **__: object) -> None:
        raise RuntimeError("No working C++ compiler found\nmore lines")

    monkeypatch.setattr(torch, "compile", no_compiler)
    network = nn.Linear(3, 2)
    with pytest.warns(UserWarning, match=r"^--model.compile: .* uncompiled, since .*No working C\+\+ compiler found$"):
        compilation.compile_in_place(network, True, CPU)
    assert network._compiled_call_impl is None
    assert network(torch.ones(1, 3)).shape == (1, 2)


@pytest.mark.parametrize(("mode", "passed"), [(True, None), ("reduce-overhead", "reduce-overhead")])
def test_the_mode_is_handed_on_and_names_stay(
    mode: bool | compilation.CompileMode, passed: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, modes = nn.Linear(3, 2), []
    monkeypatch.setattr(compilation, "why_not", lambda device: "")
    monkeypatch.setattr(network, "compile", lambda mode: modes.append(mode))
    compilation.compile_in_place(network, mode, CPU)
    compilation.compile_in_place(network, False, CPU)
    assert modes == [passed]
    assert set(network.state_dict()) == {"weight", "bias"}
