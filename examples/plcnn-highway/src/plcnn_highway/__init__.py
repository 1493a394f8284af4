"""A highway network for plcnn."""
