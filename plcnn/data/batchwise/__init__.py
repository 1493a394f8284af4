"""What augmentations are made of: operations on a batch, each picture by an amount of its own."""
