"""YAML without its traps: no key twice, no aliases that swell to more than fits, no nesting without end."""

from typing import Any

import yaml

MOST_NODES = 100_000
"""Values that a text may hold, each alias counted as all that it stands for."""

MOST_LEVELS = 50
"""How deep lists and keys may be nested."""

_Events = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text: str) -> Any:
    """Read a text of YAML into plain data.

    Raises:
        yaml.YAMLError: if it is no YAML, or is refused by `check`.
    """
    check(text)
    try:
        return yaml.safe_load(text)
    except ValueError as error:  # a date that does not exist, a number of thousands of digits
        raise yaml.YAMLError(str(error)) from error


def check(text: str) -> None:
    """Refuse what would be read in another sense than it was written, or would exhaust the machine.

    Raises:
        yaml.YAMLError: if a key stands twice, an alias stands for something around itself, or the text is nested too
            deep or stands for too many values.
    """
    around: list[_Collection] = []
    sizes: dict[str, int] = {}
    for event in yaml.parse(text, Loader=_Events):
        size = 0
        if isinstance(event, yaml.CollectionStartEvent):
            around.append(_Collection(event))
            if len(around) > MOST_LEVELS:
                raise yaml.YAMLError(f"it is nested deeper than {MOST_LEVELS} levels{_line(event)}")
        elif isinstance(event, yaml.CollectionEndEvent):
            ended = around.pop()
            size, anchor, key = ended.size, ended.anchor, None
        elif isinstance(event, yaml.ScalarEvent):
            size, anchor, key = 1, event.anchor, event.value
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise yaml.YAMLError(f"*{event.anchor} stands for nothing that ends before it{_line(event)}")
            size, anchor, key = sizes[event.anchor], None, None
        if size:
            if anchor:
                sizes[anchor] = size
            if around and around[-1].add(size, key):
                raise yaml.YAMLError(f"the key {key!r} stands twice{_line(event)}")
            if size > MOST_NODES or (around and around[-1].size > MOST_NODES):
                raise yaml.YAMLError(f"it stands for more than {MOST_NODES:,} values")


class _Collection:
    """A list, or keys with values, that is being read."""

    def __init__(self, start: yaml.CollectionStartEvent) -> None:
        self.anchor: str | None = start.anchor
        self.size = 1
        self._keys: set[str] | None = set() if isinstance(start, yaml.MappingStartEvent) else None
        self._is_key = True

    def add(self, size: int, scalar: str | None) -> bool:
        """Count something of this collection; says whether it is a key that was there already."""
        self.size += size
        if self._keys is None:
            return False
        is_key, self._is_key = self._is_key, not self._is_key
        if not is_key or scalar is None or scalar == "<<":
            return False
        known = scalar in self._keys
        self._keys.add(scalar)
        return known


def _line(event: yaml.Event) -> str:
    return f", line {event.start_mark.line + 1}" if event.start_mark else ""
