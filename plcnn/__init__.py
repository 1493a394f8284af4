"""plcnn: one command turns pictures into a trained image classifier, and any architecture plugs in by name."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plcnn.api import Run, build, fit, load, names, test
    from plcnn.architectures import register
    from plcnn.errors import UserError

__all__ = ["Run", "UserError", "build", "fit", "load", "names", "register", "test"]


def __getattr__(name: str) -> Any:
    # PyTorch takes seconds to import, and `plcnn --help` does not need it.
    if name == "register":
        from plcnn.architectures import register

        return register
    if name in __all__:
        from plcnn import api

        return getattr(api, name)
    raise AttributeError(f"module 'plcnn' has no attribute {name!r}")
