"""What a run sends to TensorBoard and to the trackers that Lightning knows."""
