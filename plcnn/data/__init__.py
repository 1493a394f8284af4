"""Pictures on their way from a source to batches."""
