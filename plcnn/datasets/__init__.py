"""The command `plcnn datasets`: the sources of pictures by name."""
