"""The strict matcher agrees with the bus on every operator it knows, and refuses every other."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postbus.domain.patterns import PatternError, compile_pattern, matches

TABLE: list[tuple[str, list[Any], dict[str, Any], bool]] = [
    ("an exact value", ["a"], {"f": "a"}, True),
    ("another value", ["a"], {"f": "b"}, False),
    ("an exact value is case sensitive", ["a"], {"f": "A"}, False),
    ("an absent field", ["a"], {}, False),
    ("one of several", ["a", "b"], {"f": "b"}, True),
    ("text is not a number", ["1"], {"f": 1}, False),
    ("a number is not text", [1], {"f": "1"}, False),
    ("a number is not true", [1], {"f": True}, False),
    ("a number as it is written", [300], {"f": 300.0}, False),
    ("true", [True], {"f": True}, True),
    ("null", [None], {"f": None}, True),
    ("null is not absent", [None], {}, False),
    ("empty text", [""], {"f": ""}, True),
    ("any element of a list", ["b"], {"f": ["a", "b"]}, True),
    ("no element of a list", ["c"], {"f": ["a", "b"]}, False),
    ("any element of a list within a list", ["b"], {"f": [["a"], ["b"]]}, True),
    ("an object is no leaf", ["a"], {"f": {"a": "a"}}, False),
    ("a prefix", [{"prefix": "postbus."}], {"f": "postbus.posting"}, True),
    ("not at the start", [{"prefix": "postbus."}], {"f": "a.postbus."}, False),
    ("a prefix of a number", [{"prefix": "1"}], {"f": 12}, False),
    ("a prefix ignoring case", [{"prefix": {"equals-ignore-case": "POST"}}], {"f": "postbus"}, True),
    (
        "a prefix ignoring case, in capitals",
        [{"prefix": {"equals-ignore-case": "post"}}],
        {"f": "POSTBUS"},
        True,
    ),
    ("a prefix ignoring case, of a number", [{"prefix": {"equals-ignore-case": "1"}}], {"f": 12}, False),
    ("a suffix", [{"suffix": ".png"}], {"f": "a.png"}, True),
    ("not at the end", [{"suffix": ".png"}], {"f": "a.png.txt"}, False),
    ("a suffix ignoring case", [{"suffix": {"equals-ignore-case": ".PNG"}}], {"f": "a.png"}, True),
    (
        "a suffix ignoring case, in capitals",
        [{"suffix": {"equals-ignore-case": ".png"}}],
        {"f": "A.PNG"},
        True,
    ),
    ("a suffix ignoring case, of a number", [{"suffix": {"equals-ignore-case": "2"}}], {"f": 12}, False),
    ("ignoring case", [{"equals-ignore-case": "APPROVED"}], {"f": "Approved"}, True),
    ("ignoring case, another", [{"equals-ignore-case": "APPROVED"}], {"f": "Declined"}, False),
    ("a wildcard", [{"wildcard": "*/lib/*"}], {"f": "src/lib/a.py"}, True),
    ("a wildcard that does not fit", [{"wildcard": "*/lib/*"}], {"f": "src/bin/a.py"}, False),
    ("a wildcard covers the whole value", [{"wildcard": "a*"}], {"f": "ba"}, False),
    ("a wildcard covers the whole value to its end", [{"wildcard": "a*b"}], {"f": "axbc"}, False),
    ("a wildcard crosses lines", [{"wildcard": "a\n*b"}], {"f": "a\n\nb"}, True),
    ("a line break in a wildcard is one", [{"wildcard": "a\nb"}], {"f": "ab"}, False),
    ("an escaped asterisk is itself", [{"wildcard": r"a\*b"}], {"f": "a*b"}, True),
    ("an escaped asterisk is nothing else", [{"wildcard": r"a\*b"}], {"f": "axb"}, False),
    ("an escaped backslash is itself", [{"wildcard": "a\\\\*"}], {"f": "a\\x"}, True),
    ("a point in a wildcard is a point", [{"wildcard": "a.*"}], {"f": "abc"}, False),
    ("anything but", [{"anything-but": "a"}], {"f": "b"}, True),
    ("anything but, the very value", [{"anything-but": "a"}], {"f": "a"}, False),
    ("anything but needs the field", [{"anything-but": "a"}], {}, False),
    ("anything but, of another type", [{"anything-but": "a"}], {"f": 1}, True),
    ("anything but several", [{"anything-but": ["a", "b"]}], {"f": "b"}, False),
    ("anything but a number", [{"anything-but": 1}], {"f": 1}, False),
    ("anything but, any element", [{"anything-but": "a"}], {"f": ["a", "b"]}, True),
    ("anything but, all elements", [{"anything-but": "a"}], {"f": ["a", "a"]}, False),
    ("anything but an empty list's", [{"anything-but": "a"}], {"f": []}, False),
    ("anything but a prefix", [{"anything-but": {"prefix": "us-"}}], {"f": "eu-west-1"}, True),
    ("anything but a prefix it has", [{"anything-but": {"prefix": "us-"}}], {"f": "us-east-1"}, False),
    ("anything but prefixes", [{"anything-but": {"prefix": ["us-", "eu-"]}}], {"f": "eu-west-1"}, False),
    ("anything but a suffix", [{"anything-but": {"suffix": ".png"}}], {"f": "a.png"}, False),
    ("anything but a wildcard", [{"anything-but": {"wildcard": "*x*"}}], {"f": "axb"}, False),
    ("anything but, ignoring case", [{"anything-but": {"equals-ignore-case": "A"}}], {"f": "a"}, False),
    ("a number equal", [{"numeric": ["=", 3.018e2]}], {"f": 301.8}, True),
    ("numbers compare by value there", [{"numeric": ["=", 300]}], {"f": 300.0}, True),
    ("within a range", [{"numeric": [">", 0, "<=", 5]}], {"f": 5}, True),
    ("outside a range", [{"numeric": [">", 0, "<=", 5]}], {"f": 0}, False),
    ("text is in no range", [{"numeric": [">", 0]}], {"f": "1"}, False),
    ("true is in no range", [{"numeric": [">", 0]}], {"f": True}, False),
    ("present", [{"exists": True}], {"f": "a"}, True),
    ("present though null", [{"exists": True}], {"f": None}, True),
    ("not present", [{"exists": True}], {}, False),
    ("absent", [{"exists": False}], {}, True),
    ("not absent", [{"exists": False}], {"f": "a"}, False),
    ("null is there", [{"exists": False}], {"f": None}, False),
    ("an object is no leaf that exists", [{"exists": True}], {"f": {"a": 1}}, False),
    ("an object is no leaf, so absent", [{"exists": False}], {"f": {"a": 1}}, True),
    ("absent or a value: absent", ["a", {"exists": False}], {}, True),
    ("absent or a value: the value", ["a", {"exists": False}], {"f": "a"}, True),
    ("absent or a value: another", ["a", {"exists": False}], {"f": "b"}, False),
]


@pytest.mark.parametrize(("case", "wanted", "event", "expected"), TABLE, ids=[row[0] for row in TABLE])
def test_a_leaf_is_compared_as_the_bus_compares_it(
    case: str, wanted: list[Any], event: dict[str, Any], expected: bool
) -> None:
    assert matches({"f": wanted}, event) is expected


def test_every_field_of_a_pattern_must_match() -> None:
    pattern = {"source": ["a"], "detail": {"x": ["1"], "y": ["2"]}}
    assert matches(pattern, {"source": "a", "detail": {"x": "1", "y": "2", "z": "3"}})
    assert not matches(pattern, {"source": "a", "detail": {"x": "1", "y": "9"}})
    assert not matches(pattern, {"source": "a", "detail": "x"})
    assert not matches(pattern, {"source": "a"})


def test_absence_holds_when_what_should_contain_the_field_is_absent_too() -> None:
    pattern = {"detail": {"metadata": {"replay": [{"exists": False}]}}}
    assert matches(pattern, {"source": "a"})
    assert matches(pattern, {"detail": {"metadata": {}}})
    assert not matches(pattern, {"detail": {"metadata": {"replay": "r"}}})


def test_one_element_of_a_list_of_objects_must_fulfil_the_whole_nested_pattern() -> None:
    pattern = {"entries": {"account": ["a"], "direction": ["debit"]}}
    debit_a, credit_a = {"account": "a", "direction": "debit"}, {"account": "a", "direction": "credit"}
    debit_b = {"account": "b", "direction": "debit"}
    assert matches(pattern, {"entries": [debit_b, debit_a]})
    assert matches(pattern, {"entries": [[debit_b], [debit_a]]})
    assert not matches(pattern, {"entries": [debit_b, credit_a]})


def test_or_needs_one_of_its_objects_beside_the_other_fields() -> None:
    pattern = {"source": ["a"], "$or": [{"x": ["1"]}, {"y": ["2"], "z": ["3"]}]}
    assert matches(pattern, {"source": "a", "x": "1"})
    assert matches(pattern, {"source": "a", "y": "2", "z": "3"})
    assert not matches(pattern, {"source": "a", "y": "2"})
    assert not matches(pattern, {"source": "b", "x": "1"})


NOT_A_PATTERN: dict[str, Any] = {
    "empty": {},
    "not an object": [],
    "an empty nested object": {"f": {}},
    "a bare value": {"f": "a"},
    "an empty list": {"f": []},
    "a list within a list": {"f": [["a"]]},
    "an unknown operator": {"f": [{"contains": "a"}]},
    "an operator of other services": {"f": [{"cidr": "10.0.0.0/8"}]},
    "a misspelt operator": {"f": [{"anything_but": "a"}]},
    "two operators in one object": {"f": [{"prefix": "a", "suffix": "b"}]},
    "an empty condition": {"f": [{}]},
    "exists as text": {"f": [{"exists": "false"}]},
    "exists as a number": {"f": [{"exists": 0}]},
    "a prefix of a number": {"f": [{"prefix": 1}]},
    "an unknown operator in a prefix": {"f": [{"prefix": {"wildcard": "a"}}]},
    "an unknown operator in anything-but": {"f": [{"anything-but": {"numeric": [">", 1]}}]},
    "two operators in anything-but": {"f": [{"anything-but": {"prefix": "a", "suffix": "b"}}]},
    "anything-but nothing": {"f": [{"anything-but": []}]},
    "anything-but of mixed types": {"f": [{"anything-but": ["a", 1]}]},
    "anything-but a boolean": {"f": [{"anything-but": True}]},
    "anything-but null": {"f": [{"anything-but": None}]},
    "consecutive wildcards": {"f": [{"wildcard": "a**b"}]},
    "a needless escape in a wildcard": {"f": [{"wildcard": r"a\b"}]},
    "a numeric without a limit": {"f": [{"numeric": [">"]}]},
    "a numeric of one comparison and a half": {"f": [{"numeric": [">", 0, "<"]}]},
    "two lower bounds": {"f": [{"numeric": [">", 0, ">", 5]}]},
    "two upper bounds": {"f": [{"numeric": ["<", 5, "<", 9]}]},
    "a numeric with text": {"f": [{"numeric": [">", "1"]}]},
    "an unknown comparison": {"f": [{"numeric": ["!=", 1]}]},
    "a range the wrong way round": {"f": [{"numeric": ["<", 5, ">", 0]}]},
    "a limit beyond the bus's": {"f": [{"numeric": [">", 5_000_000_001]}]},
    "$or of one": {"$or": [{"f": ["a"]}]},
    "$or of text": {"$or": "ab"},
    "$or of an object": {"$or": {"f": ["a"]}},
    "an unknown operator in the second choice of $or": {"$or": [{"f": ["a"]}, {"f": [{"like": "a"}]}]},
}


@pytest.mark.parametrize("pattern", NOT_A_PATTERN.values(), ids=NOT_A_PATTERN.keys())
def test_what_the_bus_would_refuse_is_refused_whatever_the_event(pattern: Any) -> None:
    with pytest.raises(PatternError):
        compile_pattern(pattern)


def test_an_unknown_operator_is_refused_even_where_another_field_already_fails() -> None:
    with pytest.raises(PatternError, match=r"detail\.x: unknown operator 'contains'"):
        matches({"source": ["a"], "detail": {"x": [{"contains": "a"}]}}, {"source": "b"})


def test_absence_below_a_list_of_objects_is_refused_not_guessed() -> None:
    for below in (
        {"shard": [1, {"exists": False}]},
        {"account": ["a"], "on": {"shard": [{"exists": False}]}},
    ):
        with pytest.raises(PatternError, match="list of objects"):
            matches({"entries": below}, {"entries": [{"shard": 1}, {}]})


scalars = st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=5)
names = st.text("abcdef", min_size=1, max_size=3)
objects = st.recursive(
    st.dictionaries(names, scalars, min_size=1, max_size=4),
    lambda inner: st.dictionaries(names, scalars | inner, min_size=1, max_size=4),
    max_leaves=12,
)


def pattern_of(event: dict[str, Any]) -> dict[str, Any]:
    return {name: pattern_of(value) if isinstance(value, dict) else [value] for name, value in event.items()}


@given(objects)
def test_an_event_matches_the_pattern_made_of_itself(event: dict[str, Any]) -> None:
    assert matches(pattern_of(event), event)


@given(objects, objects)
def test_what_a_rule_does_not_name_does_not_matter(event: dict[str, Any], more: dict[str, Any]) -> None:
    assert matches(pattern_of(event), {**more, **event})


@given(st.dictionaries(st.sampled_from("fg"), scalars | st.lists(scalars, max_size=3)))
def test_a_leaf_either_exists_or_does_not(event: dict[str, Any]) -> None:
    assert matches({"f": [{"exists": True}]}, event) is not matches({"f": [{"exists": False}]}, event)


@given(st.text(min_size=1, max_size=5), scalars)
def test_anything_but_is_the_contrary_of_equal_for_a_field_that_is_there(value: str, leaf: Any) -> None:
    assert matches({"f": [{"anything-but": value}]}, {"f": leaf}) is not matches({"f": [value]}, {"f": leaf})
