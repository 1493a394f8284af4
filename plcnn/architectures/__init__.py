"""The architectures by name: one family a file, registered when the file is imported."""

from torch import nn

from plcnn.choice import Choice
from plcnn.errors import UserError
from plcnn.registry import Registry


class Architecture(Choice):
    """An architecture by its registered name, with its arguments."""

    def build(self, *given_first: object, **given: object) -> nn.Module:
        """Build the network.

        Args:
            given_first: nothing.
            given: `num_classes`, `in_channels`, `image_size`: what the data determines.

        Returns:
            A module that maps images (batch, in_channels, image_size, image_size) to logits (batch, num_classes).

        Raises:
            UserError: if the builder raises, or returns anything but a module.
        """
        network = super().build(*given_first, **given)
        if not isinstance(network, nn.Module):
            raise UserError(
                f"architecture {self.name!r} must build a torch.nn.Module, got {type(network).__name__} "
                f"({self.registry.origins[self.name]}).",
                exit_code=2,
            )
        return network


architectures = Registry(
    Architecture,
    given=("num_classes", "in_channels", "image_size"),
    needs=("num_classes",),
    package="plcnn.architectures",
    listed_by="plcnn archs",
)

register = architectures.register
