"""Data sets as their makers publish them: fetched, told by checksums, unpacked and read, whoever made the file."""
