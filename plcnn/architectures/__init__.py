"""The architectures by name: one family a file, registered when the file is imported."""

from torch import nn

from plcnn.registry import Choice, Registry


class Architecture(Choice):
    """An architecture by its registered name, with its arguments."""

    def build(self, *given_first: object, **given: object) -> nn.Module:
        """Build the network.

        Args:
            given_first: nothing.
            given: `num_classes`, `in_channels`, `image_size`: what the data determines.

        Returns:
            A module that maps images (batch, in_channels, image_size, image_size) to logits (batch, num_classes).
        """
        network = super().build(*given_first, **given)
        assert isinstance(network, nn.Module)
        return network


architectures = Registry(
    Architecture,
    given=("num_classes", "in_channels", "image_size"),
    needs=("num_classes",),
    package="plcnn.architectures",
)

register = architectures.register
