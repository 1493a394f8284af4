"""What accompanies a run: stopping, checkpoints, lines, pictures. One callback a file, each with a key of its own."""
