"""Every registered architecture, whatever its name: all the checks, other sizes and channels, and its documentation."""

import sys

import pytest
import torch

import plcnn
from plcnn.architectures import architectures
from plcnn.archs.catalogue import Input
from plcnn.archs.checks import CHECKS, Subject

NAMES = plcnn.names()


def test_there_are_architectures_and_checks() -> None:
    assert {"keras_cnn", "linear", "timm", "torchvision"} <= set(NAMES) and len(CHECKS) >= 9


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", NAMES)
def test_it_passes_the_check(name: str, check: str) -> None:
    CHECKS[check](Subject(architectures.choose(name), Input()))


@pytest.mark.parametrize("name", NAMES)
def test_it_fits_other_classes_and_channels(name: str) -> None:
    network = plcnn.build(name, num_classes=7, in_channels=1).eval()
    with torch.no_grad():
        assert network(torch.rand(2, 1, 32, 32)).shape == (2, 7)


@pytest.mark.parametrize("name", NAMES)
def test_its_arguments_and_its_paper_are_documented(name: str) -> None:
    choice = architectures[name]
    assert choice.__doc__ and all(f"{key}:" in choice.__doc__ for key in choice.signature.parameters)
    about = sys.modules[choice.builder.__module__].__doc__ or ""
    assert "https://" in about or name in ("linear", "keras_cnn"), "the file's docstring must name the paper's address"
