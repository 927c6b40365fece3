"""Expressions over table cells, in which the paper's claims are written.

Grammar, nothing else is accepted and nothing is ever handed to Python's own evaluator::

    condition  := conjunction { "or" conjunction }
    conjunction:= negation { "and" negation }
    negation   := "not" negation | comparison
    comparison := sum [ ("<" | "<=" | ">" | ">=" | "==") sum ]
    sum        := product { ("+" | "-") product }
    product    := atom { ("*" | "/") atom }
    atom       := number | cell | ("abs" | "min" | "max" | "mean") "(" sum { "," sum } ")"
                | "(" condition ")"
    cell       := [TABLE ":"] row-id "." Metric

Row ids hold minus signs, so an operator ``+ - * /`` needs a space on both sides. If any cell is
null the whole expression is null (unknown), also where logic alone could decide it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MAX_LENGTH = 4000
MAX_DEPTH = 40

_TOKEN = re.compile(
    r"(?P<cell>(?:[IVX]+[ab]?:)?[a-z0-9]+(?:-[a-z0-9]+)*\.[A-Za-z][A-Za-z0-9_]*)"
    r"|(?P<number>\d+(?:\.\d+)?(?![\w.]))"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<compare><=|>=|==|<|>)"
    r"|(?P<arithmetic>(?<=\s)[-+*/](?=\s))"
    r"|(?P<mark>[(),])"
)
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "==": lambda left, right: left == right,
}
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
}
_FUNCTIONS: dict[str, Callable[[list[float]], float]] = {
    "abs": lambda values: abs(values[0]),
    "min": min,
    "max": max,
    "mean": lambda values: sum(values) / len(values),
}


class ExpressionError(ValueError):
    """An expression outside the grammar."""


@dataclass(frozen=True)
class Cell:
    """A reference to one value; ``table`` is None for the expression's own table."""

    table: str | None
    row: str
    metric: str

    def __str__(self) -> str:
        prefix = f"{self.table}:" if self.table else ""
        return f"{prefix}{self.row}.{self.metric}"


@dataclass(frozen=True)
class Number:
    """A literal."""

    value: float


@dataclass(frozen=True)
class Arithmetic:
    """``+ - * /`` of two numbers."""

    operator: str
    left: Value
    right: Value


@dataclass(frozen=True)
class Call:
    """``abs``, ``min``, ``max`` or ``mean`` of numbers."""

    function: str
    arguments: tuple[Value, ...]


@dataclass(frozen=True)
class Comparison:
    """Two numbers compared, the leaf of every condition."""

    operator: str
    left: Value
    right: Value


@dataclass(frozen=True)
class Logical:
    """``and`` or ``or`` over conditions."""

    operator: str
    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Not:
    """The opposite of a condition."""

    part: Condition


Value = Cell | Number | Arithmetic | Call
Condition = Comparison | Logical | Not
Node = Value | Condition
Lookup = Callable[[Cell], float | None]


def parse_condition(text: str) -> Condition:
    """Parse an expression that is true or false.

    Raises:
        ExpressionError: Outside the grammar, too long or too deep, or a number instead of a
            condition; the message names the place.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"longer than {MAX_LENGTH} characters")
    parser = _Parser(list(_tokens(text)))
    node = parser.alternatives(0)
    if parser.kind() != "end":
        raise ExpressionError(f"unexpected {parser.text()!r}")
    return _condition(node)


def cells(node: Node) -> list[Cell]:
    """Return the cells that an expression reads, each once, in order of appearance."""
    return list(dict.fromkeys(_cells(node)))


def _cells(node: Node) -> Iterator[Cell]:
    match node:
        case Cell():
            yield node
        case Arithmetic() | Comparison():
            yield from _cells(node.left)
            yield from _cells(node.right)
        case Call():
            for argument in node.arguments:
                yield from _cells(argument)
        case Logical():
            for part in node.parts:
                yield from _cells(part)
        case Not():
            yield from _cells(node.part)


def number(node: Value, lookup: Lookup) -> float | None:
    """Evaluate a numeric expression; None if a cell is null or a divisor is zero."""
    match node:
        case Number():
            return node.value
        case Cell():
            return lookup(node)
        case Arithmetic():
            left, right = number(node.left, lookup), number(node.right, lookup)
            if left is None or right is None or (node.operator == "/" and right == 0):
                return None
            return _ARITHMETIC[node.operator](left, right)
        case Call():
            values = [number(argument, lookup) for argument in node.arguments]
            known = [value for value in values if value is not None]
            return _FUNCTIONS[node.function](known) if len(known) == len(values) else None


def compare(operator: str, left: float, right: float) -> bool:
    """Apply one of the five comparison operators."""
    return _COMPARE[operator](left, right)


def truth(node: Condition, decide: Callable[[Comparison], bool | None]) -> bool | None:
    """Combine decided comparisons; an undecided one (None) counts only where it matters."""
    match node:
        case Comparison():
            return decide(node)
        case Not():
            inner = truth(node.part, decide)
            return None if inner is None else not inner
        case Logical():
            settles = node.operator == "or"
            parts = [truth(part, decide) for part in node.parts]
            if settles in parts:
                return settles
            return None if None in parts else not settles


def evaluate(node: Condition, lookup: Lookup) -> bool | None:
    """Evaluate a condition on exact values; None (unknown) if any cell is null."""
    if any(lookup(cell) is None for cell in cells(node)):
        return None

    def decide(comparison: Comparison) -> bool | None:
        left, right = number(comparison.left, lookup), number(comparison.right, lookup)
        if left is None or right is None:
            return None
        return compare(comparison.operator, left, right)

    return truth(node, decide)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        match = _TOKEN.match(text, position)
        if match is None:
            hint = " (operators need a space on both sides)" if text[position] in "+-*/" else ""
            raise ExpressionError(f"column {position + 1}: {text[position]!r} not allowed{hint}")
        yield str(match.lastgroup), match.group()
        position = match.end()
    yield "end", "end of the expression"


class _Parser:
    """Recursive descent over tokens; ``depth`` guards the stack against nested parentheses."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._next = 0

    def kind(self) -> str:
        return self._tokens[self._next][0]

    def text(self) -> str:
        return self._tokens[self._next][1]

    def _take(self) -> str:
        text = self.text()
        self._next += 1
        return text

    def _expect(self, text: str) -> None:
        if self.text() != text:
            raise ExpressionError(f"expected {text!r}, found {self.text()!r}")
        self._next += 1

    def alternatives(self, depth: int) -> Node:
        return self._chain("or", self._conjunction, depth)

    def _conjunction(self, depth: int) -> Node:
        return self._chain("and", self._negation, depth)

    def _chain(self, word: str, part: Callable[[int], Node], depth: int) -> Node:
        parts = [part(depth)]
        while self.text() == word:
            self._next += 1
            parts.append(part(depth))
        if len(parts) == 1:
            return parts[0]
        return Logical(word, tuple(_condition(node) for node in parts))

    def _negation(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise ExpressionError(f"nested deeper than {MAX_DEPTH}")
        if self.text() == "not":
            self._next += 1
            return Not(_condition(self._negation(depth + 1)))
        left = self._sum(depth)
        if self.kind() != "compare":
            return left
        operator = self._take()
        comparison = Comparison(operator, _value(left), _value(self._sum(depth)))
        if self.kind() == "compare":
            raise ExpressionError("chained comparison: join two with `and`")
        return comparison

    def _sum(self, depth: int) -> Node:
        return self._series("+-", self._product, depth)

    def _product(self, depth: int) -> Node:
        return self._series("*/", self._atom, depth)

    def _series(self, operators: str, part: Callable[[int], Node], depth: int) -> Node:
        node = part(depth)
        while self.kind() == "arithmetic" and self.text() in operators:
            operator = self._take()
            node = Arithmetic(operator, _value(node), _value(part(depth)))
        return node

    def _atom(self, depth: int) -> Node:
        kind, text = self.kind(), self.text()
        if kind == "number":
            return Number(float(self._take()))
        if kind == "cell":
            return _cell(self._take())
        if text == "(":
            self._next += 1
            inside = self.alternatives(depth + 1)
            self._expect(")")
            return inside
        if text in _FUNCTIONS:
            return self._call(self._take(), depth + 1)
        raise ExpressionError(f"expected a number or a cell, found {text!r}")

    def _call(self, function: str, depth: int) -> Call:
        if depth > MAX_DEPTH:
            raise ExpressionError(f"nested deeper than {MAX_DEPTH}")
        self._expect("(")
        arguments = [_value(self._sum(depth))]
        while self.text() == ",":
            self._next += 1
            arguments.append(_value(self._sum(depth)))
        self._expect(")")
        if function == "abs" and len(arguments) != 1:
            raise ExpressionError("abs takes one argument")
        return Call(function, tuple(arguments))


def _cell(text: str) -> Cell:
    table, _, rest = text.rpartition(":")
    row, metric = rest.split(".")
    return Cell(table or None, row, metric)


def _value(node: Node) -> Value:
    if isinstance(node, Comparison | Logical | Not):
        raise ExpressionError("a condition where a number is needed")
    return node


def _condition(node: Node) -> Condition:
    if not isinstance(node, Comparison | Logical | Not):
        raise ExpressionError("a number where a condition is needed")
    return node
