"""Figures, one function for each: for files, for the report's page, and for TensorBoard and other loggers.

Each returns a `matplotlib.figure.Figure` of one panel that is readable on a phone, in the colours of `style`.
"""

from plcnn.figures.confusion import confusion
from plcnn.figures.curves import compared, curve, curves
from plcnn.figures.pictures import pictures
from plcnn.figures.reliability import reliability

__all__ = ["compared", "confusion", "curve", "curves", "pictures", "reliability"]
