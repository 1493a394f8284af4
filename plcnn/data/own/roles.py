"""What a set of pictures is for, by the names that people give to folders, arrays and columns."""

NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""The names of each part of a data set; capitals do not matter."""


def role_of(name: str) -> str | None:
    """The part that a name stands for: "train", "val" or "test"; None for any other name."""
    return next((role for role, names in NAMES.items() if name.strip().lower() in names), None)
