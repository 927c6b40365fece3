"""Names of tensors in a released checkpoint and in ours, as one table read in both directions."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

_FIELD = re.compile(r"\\\{(\w+)\\\}")
_ANYTHING = "rest"


def _same(value: Tensor) -> Tensor:
    return value


@dataclass(frozen=True)
class Rule:
    """One line of the table.

    ``{field}`` stands for one part of a dotted name, ``{rest}`` for one or more; both sides have
    the same fields.

    Attributes:
        released: Pattern of the released name.
        ours: Pattern of our name.
        forward: From the released tensor to ours.
        backward: Its inverse.
    """

    released: str
    ours: str
    forward: Callable[[Tensor], Tensor] = _same
    backward: Callable[[Tensor], Tensor] = _same


class NameMap:
    """A table of rules; of those that match a name the first counts.

    Args:
        rules: The lines of the table.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._released = [_pattern(rule.released) for rule in rules]
        self._ours = [_pattern(rule.ours) for rule in rules]

    def __add__(self, other: NameMap) -> NameMap:
        return NameMap(self.rules + other.rules)

    def to_ours(self, name: str, value: Tensor) -> tuple[str, Tensor] | None:
        """Return our name and tensor of a released one, or None if no rule knows it."""
        for rule, pattern in zip(self.rules, self._released, strict=True):
            if found := pattern.fullmatch(name):
                return rule.ours.format(**found.groupdict()), rule.forward(value)
        return None

    def to_released(self, name: str, value: Tensor) -> tuple[str, Tensor] | None:
        """Return the released name and tensor of one of ours, or None if no rule knows it."""
        for rule, pattern in zip(self.rules, self._ours, strict=True):
            if found := pattern.fullmatch(name):
                return rule.released.format(**found.groupdict()), rule.backward(value)
        return None


def _pattern(template: str) -> re.Pattern[str]:
    def group(field: re.Match[str]) -> str:
        return f"(?P<{field[1]}>{'.+' if field[1] == _ANYTHING else '[^.]+'})"

    return re.compile(_FIELD.sub(group, re.escape(template)))
