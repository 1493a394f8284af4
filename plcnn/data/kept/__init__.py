"""Pictures that do not lie in memory: streamed, surveyed in one pass, and kept in a file that is mapped."""
