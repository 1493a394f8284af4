"""The data of `fit`, built from the same options, and nothing else of it."""

from plcnn.data.module import ImageData
from plcnn.fit_options import FitOptions


class DataOfFit(FitOptions):
    """`fit`, parsed; of what it would build, the data module alone, not set up yet."""

    datamodule: ImageData

    def before_instantiate_classes(self) -> None:
        """Check nothing: it is all about training."""

    def instantiate_classes(self) -> None:
        """Build the data module; a network, and the weights that it may start from, are not needed."""
        self.datamodule = ImageData(**self.config[self.command]["data"].as_dict())
