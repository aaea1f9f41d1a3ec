"""Which events a rule or a pipe lets through: EventBridge patterns, read strictly.

An operator, or a use of one, that is not known here raises; it never quietly matches or fails to match.
Exact values are compared as written: ``"1"`` is not ``1`` and ``300`` is not ``300.0``.  As on the bus, only
leaves are compared; a field that holds a list matches if any element does; a list of objects matches if one
element fulfils the whole nested pattern.

Source: "Comparison operators for use in event patterns", Amazon EventBridge user guide; aws/event-ruler.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

Test = Callable[[Any], bool]

_NUMERIC = {
    "<": operator.lt, "<=": operator.le, "=": operator.eq, ">=": operator.ge, ">": operator.gt,
}  # fmt: skip
_TEXT_OPERATORS = {"prefix", "suffix", "equals-ignore-case", "wildcard"}
_NUMERIC_LIMIT = 5_000_000_000
_ABSENT = object()


class PatternError(ValueError):
    """The pattern is not one the bus would take, or uses something this matcher does not know."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path or 'pattern'}: {problem}")


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Whether a rule with ``pattern`` lets ``event`` through; both as parsed JSON.

    Raises:
        PatternError: the pattern, in any part of it, is not valid or not known.
    """
    return compile_pattern(pattern)(event)


def compile_pattern(pattern: Any) -> Test:
    """Check a whole pattern and return the test it stands for."""
    return _object_test(pattern, "")


def _object_test(pattern: Any, path: str) -> Test:
    if not isinstance(pattern, Mapping) or not pattern:
        raise PatternError(path, "expected an object with at least one field")
    prefix = f"{path}." if path else ""
    tests = [_field_test(name, wanted, prefix + name) for name, wanted in pattern.items()]
    return lambda value: all(test(value) for test in tests)


def _field_test(name: str, wanted: Any, path: str) -> Test:
    if name == "$or":
        if not isinstance(wanted, list) or len(wanted) < 2:
            raise PatternError(path, "expected a list of at least two objects")
        choices = [_object_test(choice, path) for choice in wanted]
        return lambda value: any(choice(value) for choice in choices)

    if isinstance(wanted, Mapping):
        nested, asks_absence = _object_test(wanted, path), _asks_absence(wanted)

        def nested_field(value: Any) -> bool:
            inner = _get(value, name)
            if not isinstance(inner, list):
                return nested(inner)
            if asks_absence:
                # The bus asks for absence in all elements at once, and for the rest in one of them.
                raise PatternError(path, "exists: false below a list of objects is not supported")
            return any(nested(element) for element in _elements(inner))

        return nested_field

    leaf = _leaf_test(wanted, path)
    return lambda value: leaf(_get(value, name))


def _leaf_test(wanted: Any, path: str) -> Test:
    """Any of the listed conditions, on any of the field's values."""
    if not isinstance(wanted, list) or not wanted:
        raise PatternError(path, "expected a list of at least one value or condition")
    if any(_is_absence(item) for item in wanted):
        present = [_condition(item, path) for item in wanted if not _is_absence(item)]
        return lambda value: not (leaves := list(_leaves(value))) or _any(present, leaves)
    conditions = [_condition(item, path) for item in wanted]
    return lambda value: _any(conditions, _leaves(value))


def _any(conditions: Sequence[Test], leaves: Iterator[Any] | Sequence[Any]) -> bool:
    return any(condition(leaf) for leaf in leaves for condition in conditions)


def _condition(item: Any, path: str) -> Test:
    """The test of one leaf that one item of a pattern's list stands for."""
    if not isinstance(item, Mapping):
        return _equals(item, path)
    if len(item) != 1:
        raise PatternError(path, "expected exactly one operator in an object")
    [(name, argument)] = item.items()
    match name:
        case "exists":
            if argument is not True:
                raise PatternError(path, "exists takes true or false")
            return lambda leaf: True
        case "anything-but":
            return _anything_but(argument, path)
        case "numeric":
            return _numeric(argument, path)
        case _ if name in _TEXT_OPERATORS:
            return _text_test(name, argument, path)
        case _:
            raise PatternError(path, f"unknown operator {name!r}")


def _equals(wanted: Any, path: str) -> Test:
    if isinstance(wanted, list):
        raise PatternError(path, "a list within a list")
    return lambda leaf: type(leaf) is type(wanted) and leaf == wanted


def _text_test(name: str, argument: Any, path: str) -> Test:
    if name in ("prefix", "suffix") and isinstance(argument, Mapping):
        if list(argument) != ["equals-ignore-case"]:
            raise PatternError(path, f"{name} takes text or equals-ignore-case")
        folded = _text(argument["equals-ignore-case"], path).lower()
        if name == "prefix":
            return lambda leaf: isinstance(leaf, str) and leaf.lower().startswith(folded)
        return lambda leaf: isinstance(leaf, str) and leaf.lower().endswith(folded)
    text = _text(argument, path)
    match name:
        case "prefix":
            return lambda leaf: isinstance(leaf, str) and leaf.startswith(text)
        case "suffix":
            return lambda leaf: isinstance(leaf, str) and leaf.endswith(text)
        case "equals-ignore-case":
            return lambda leaf: isinstance(leaf, str) and leaf.lower() == text.lower()
        case _:
            expression = _wildcard(text, path)
            return lambda leaf: isinstance(leaf, str) and expression.fullmatch(leaf) is not None


def _wildcard(text: str, path: str) -> re.Pattern[str]:
    """``*`` is any run of characters; ``\\*`` and ``\\\\`` are the characters themselves."""
    tokens = re.findall(r"\\.|.|\\", text, re.DOTALL)
    if ("*", "*") in pairwise(tokens):
        raise PatternError(path, "consecutive wildcards")
    if any(token.startswith("\\") and token not in (r"\*", r"\\") for token in tokens):
        raise PatternError(path, r"a backslash may stand only before * or \ in a wildcard")
    return re.compile("".join(".*" if token == "*" else re.escape(token[-1]) for token in tokens), re.DOTALL)


def _anything_but(argument: Any, path: str) -> Test:
    """None of these; but the field must be there."""
    if isinstance(argument, Mapping):
        if len(argument) != 1 or not argument.keys() <= _TEXT_OPERATORS:
            raise PatternError(path, f"anything-but does not take {argument!r}")
        [(name, inner)] = argument.items()
        refused = [_text_test(name, _text(text, path), path) for text in _listed(inner, path)]
    else:
        values = _listed(argument, path)
        kinds = {str if isinstance(value, str) else float if _is_number(value) else None for value in values}
        if kinds not in ({str}, {float}):
            raise PatternError(path, "anything-but takes text or numbers, not both, nor anything else")
        refused = [_equals(value, path) for value in values]
    return lambda leaf: not any(test(leaf) for test in refused)


def _numeric(argument: Any, path: str) -> Test:
    """``["=", 1]``, ``[">", 0, "<=", 5]``: comparisons of JSON numbers, all of which must hold."""
    if not isinstance(argument, list) or len(argument) not in (2, 4):
        raise PatternError(path, "numeric takes one or two comparisons")
    comparisons = list(zip(argument[::2], argument[1::2], strict=True))
    for sign, limit in comparisons:
        if sign not in _NUMERIC or not _is_number(limit) or abs(limit) > _NUMERIC_LIMIT:
            raise PatternError(path, f"numeric does not take {sign!r} {limit!r}")
    if len(comparisons) == 2 and not (comparisons[0][0] in (">", ">=") and comparisons[1][0] in ("<", "<=")):
        raise PatternError(path, "a numeric range is a lower bound followed by an upper one")
    return lambda leaf: _is_number(leaf) and all(_NUMERIC[sign](leaf, limit) for sign, limit in comparisons)


def _get(value: Any, name: str) -> Any:
    return value.get(name, _ABSENT) if isinstance(value, Mapping) else _ABSENT


def _leaves(value: Any) -> Iterator[Any]:
    """The values the bus compares: none for an absent field, an object or an empty list."""
    if isinstance(value, list):
        for element in value:
            yield from _leaves(element)
    elif value is not _ABSENT and not isinstance(value, Mapping):
        yield value


def _elements(value: list[Any]) -> Iterator[Any]:
    for element in value:
        if isinstance(element, list):
            yield from _elements(element)
        else:
            yield element


def _asks_absence(pattern: Any) -> bool:
    if isinstance(pattern, Mapping):
        return _is_absence(pattern) or any(_asks_absence(inner) for inner in pattern.values())
    return isinstance(pattern, list) and any(_asks_absence(inner) for inner in pattern)


def _is_absence(item: Any) -> bool:
    return isinstance(item, Mapping) and item.get("exists") is False and len(item) == 1


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str) or not value:
        raise PatternError(path, "expected non-empty text")
    return value


def _listed(value: Any, path: str) -> list[Any]:
    values = value if isinstance(value, list) else [value]
    if not values:
        raise PatternError(path, "an empty list")
    return values
