"""Sweeps without a keeper."""

from collections.abc import Callable

import pytest
from support import Forked
from sweep.crews import WarmCrew


@pytest.fixture
def warm_crew(fork: Callable[..., Forked], monkeypatch: pytest.MonkeyPatch) -> WarmCrew:
    """The crew of every sweep in a test."""
    crew = WarmCrew(fork)
    monkeypatch.setattr("plcnn.sweep.command.Crew", lambda *_: crew)
    return crew
