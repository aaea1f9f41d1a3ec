"""Names against a sanctions list, so that a hit is found however it is written and most people are not one.

A name is compared as its words in Latin letters, without accents, case, signs, titles and legal forms, and in
any order.  Two names are alike by the worse of two views: of all their words together
(``fuzz.token_sort_ratio``), and word by word, each word of the shorter name with its best partner in the
other one.  The second view keeps a shared family name from making two people one; ``token_set_ratio`` alone
would call every "Maria" a hit on "Maria Orlova".  A name of one word is a hit on a name of one word only, and
only if it is very like it, for short words are like many others.

Whoever wants to pass unseen writes for the machine and not for the reader: signs that do not show are left
out, digits stand for the letters they look like, and words that were joined or split are put together again
as the listed name has them (``_regrouped``).  What has other letters a person reads: a hit.
Nothing that the sender says beside a name, such as a country, makes it less of a hit.

Of a long list few names share enough pairs of letters to be looked at; pairs are counted over all the letters
of a name without its blanks, so that no way of splitting it hides it.
"""

import json
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import permutations
from typing import Any

from rapidfuzz import fuzz

from postbus.domain.errors import Malformed
from postbus.domain.iso20022.checks import CheckAnswer, CheckRequest, NeedsDecision, Passed
from postbus.domain.iso20022.messages import Reason
from postbus.domain.iso20022.status import REGULATORY
from postbus.domain.iso20022.transliteration import latin

# Nothing is said of whom, by which name or how closely: not to the client, not in a log.
HIT = NeedsDecision(Reason(REGULATORY))

DEFAULT_THRESHOLD = 85
# At least this is asked of names of one word.
_CLOSE = 96

# Names that share fewer of their pairs of letters than this are no likeness at all.
_SHARED = 0.4

# Less than this by the most generous view of the words is no likeness at all.
_FAR = 50

# Those that share fewer than this are not the same words, split or joined otherwise.
_SHARED_REGROUPED = 0.65

# Joined words are looked for among so many words of a listed name at once.
_MOST_JOINED = 4

# Letters by name that show as nothing: fillers of Hangul and the blank of Braille.
_FILLERS = frozenset("\u115f\u1160\u2800")

# What a digit in a name is read for.  A 1 is an l or an i, and is looked at as both.
_LOOK_ALIKE = str.maketrans("0123456789", "olzeasgtbg")
_ONE_AS_I = str.maketrans("1", "i")

# Written with a name, but no part of it.
_NO_NAMES = frozenset(
    {
        *("mr", "mrs", "ms", "miss", "dr", "prof", "sir", "the", "and", "und", "et", "of"),
        *("ltd", "limited", "llc", "llp", "inc", "corp", "corporation", "co", "company", "plc"),
        *("gmbh", "ag", "kg", "sa", "sas", "sarl", "srl", "spa", "bv", "nv", "oy", "ab", "as", "aps"),
        *("sro", "zoo", "ooo", "oao", "zao", "pjsc", "jsc"),
    }
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A name of the list.

    Attributes:
        words: as ``words_of``.
        text: the words with blanks between them.
    """

    words: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class SanctionsList:
    """The list in force, each alias a name of its own.

    Attributes:
        bics: of institutions that are on it, their first eight characters.
        leis: of whoever is on it.
    """

    names: tuple[Listed, ...]
    bics: frozenset[str] = frozenset()
    leis: frozenset[str] = frozenset()
    _by_pair: Mapping[str, list[int]] = field(init=False, repr=False, compare=False)
    _pairs: Sequence[int] = field(init=False, repr=False, compare=False)
    _texts: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_pair, counts = defaultdict(list), []
        for number, one in enumerate(self.names):
            pairs = _pairs("".join(one.words))
            counts.append(len(pairs))
            for pair in pairs:
                by_pair[pair].append(number)
        object.__setattr__(self, "_by_pair", dict(by_pair))
        object.__setattr__(self, "_pairs", counts)
        object.__setattr__(self, "_texts", frozenset("".join(one.words) for one in self.names))

    def has(self, text: str) -> bool:
        """Whether a name without its blanks is one of the list to the letter."""
        return text in self._texts

    def near(self, text: str) -> Iterator[tuple[Listed, float]]:
        """The names that share enough pairs of letters with one without its blanks, and their part."""
        pairs = _pairs(text)
        shared: Counter[int] = Counter()
        for pair in pairs:
            shared.update(self._by_pair.get(pair, ()))
        for number, count in shared.items():
            part = count / min(len(pairs), self._pairs[number])
            if part >= _SHARED:
                yield self.names[number], part

    @classmethod
    def from_json(cls, body: bytes) -> "SanctionsList":
        """Read ``{"entries": [{"names": [...], "bics": [...], "leis": [...]}]}``.

        Whatever else an entry says, such as its ``countries``, is for whoever reads the list.

        Raises:
            Malformed: not that, or without a single name; a list that cannot be read passes nobody.
        """
        try:
            data = json.loads(body)
        except ValueError:
            raise Malformed("sanctions list", "JSON") from None
        entries = data.get("entries") if isinstance(data, Mapping) else None
        if not isinstance(entries, list):
            raise Malformed("sanctions list", "an object with entries")
        names: list[Listed] = []
        bics: set[str] = set()
        leis: set[str] = set()
        for number, entry in enumerate(entries):
            names += _listed(entry, number)
            bics.update(bic[:8].upper() for bic in _texts(entry, "bics", number))
            leis.update(lei.upper() for lei in _texts(entry, "leis", number))
        if not names:
            raise Malformed("sanctions list", "at least one name")
        return cls(tuple(dict.fromkeys(names)), frozenset(bics), frozenset(leis))


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name in Latin letters, without accents, case, signs, titles and legal forms."""
    every = _pieces(_plain(name))
    return tuple(word for word in every if word not in _NO_NAMES) or every


def is_readable(name: str) -> bool:
    """Whether all of a name can be written in Latin letters, and it is of one script."""
    shown = _shown(name)
    plain = latin(shown)
    if not any(char.isalnum() for char in plain):
        return False
    if shown.isascii():
        return True
    if any(char.isalnum() and not char.isascii() for char in plain):
        return False
    # What is of two scripts may be written to look like another name.
    return not (any(char.isascii() and char.isalpha() for char in shown) and any(map(_is_foreign, shown)))


def _is_foreign(char: str) -> bool:
    # Greek and Cyrillic, the two scripts with letters that look like Latin ones.
    return "\u0370" <= char <= "\u052f"


def _shown(name: str) -> str:
    """The name in lower case, without marks and without what does not show."""
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    if apart.isascii():
        return apart
    return "".join(
        char for char in apart if unicodedata.category(char) not in _NOT_SHOWN and char not in _FILLERS
    )


_NOT_SHOWN = frozenset({"Cf", "Mn", "Me"})


def _plain(name: str) -> str:
    text = latin(_shown(name))
    # A number is read as one where there is nothing else.
    return text.translate(_LOOK_ALIKE) if any(char.isalpha() for char in text) else text


def _pieces(text: str) -> tuple[str, ...]:
    # Dots and apostrophes stand inside a word, every other sign between two.
    joined = text.replace(".", "").replace("'", "").replace("\u2019", "").replace("\u02bc", "")
    return tuple("".join(char if char.isalnum() else " " for char in joined).split())


def screen(
    requests: Sequence[CheckRequest], listed: SanctionsList, threshold: int = DEFAULT_THRESHOLD
) -> list[CheckAnswer]:
    """One answer for each transfer: passed, or to be decided.

    Args:
        threshold: from 1 to 100; from which likeness on two names are held for one.
    """
    # Of a thousand transfers most have one debtor.
    known: dict[str, bool] = {}

    def is_hit(name: str) -> bool:
        if name not in known:
            known[name] = is_listed(name, listed, threshold)
        return known[name]

    return [HIT if _is_hit(request, listed, is_hit) else Passed() for request in requests]


def is_listed(name: str, listed: SanctionsList, threshold: int) -> bool:
    """Whether a name is, or may be, one of the list; one that cannot be read may be."""
    if not is_readable(name):
        return True
    if _may_be(_pieces(_plain(name)), listed, threshold):
        return True
    one_as_i = unicodedata.normalize("NFKC", name).translate(_ONE_AS_I)
    return one_as_i != name and _may_be(_pieces(_plain(one_as_i)), listed, threshold)


def _may_be(pieces: tuple[str, ...], listed: SanctionsList, threshold: int) -> bool:
    words = tuple(word for word in pieces if word not in _NO_NAMES) or pieces
    if listed.has("".join(words)) or any(map(listed.has, _without_forms(pieces))):
        return True
    text = " ".join(words)
    return any(
        # Far from alike whatever the order, and told so in a fraction of the time.
        (
            fuzz.token_set_ratio(text, one.text, score_cutoff=_FAR)
            and likeness(words, one.words) >= _needed(words, one, threshold)
        )
        or (part >= _SHARED_REGROUPED and _regrouped(pieces, one.words) >= threshold)
        for one, part in listed.near("".join(pieces))
    )


def _without_forms(pieces: Sequence[str]) -> Iterator[str]:
    """All letters, with and without a title before them and a legal form after them, even split ones."""
    count = len(pieces)
    starts = [0, *(at for at in range(1, count) if "".join(pieces[:at]) in _NO_NAMES)]
    ends = [count, *(at for at in range(1, count) if "".join(pieces[at:]) in _NO_NAMES)]
    for start in starts:
        yield from ("".join(pieces[start:end]) for end in ends if end > start)


def likeness(one: Sequence[str], other: Sequence[str]) -> float:
    """How alike two names are, from 0 to 100, in whatever order their words stand."""
    if not one or not other:
        return 0.0
    if "".join(one) == "".join(other):
        return 100.0
    shorter, longer = sorted((tuple(one), tuple(other)), key=len)
    if _is_single(shorter) and len(longer) > 1:
        # A single word is too little to know somebody by, unless it is all of the other's, written apart.
        return fuzz.ratio("".join(shorter), "".join(longer))
    together = fuzz.token_sort_ratio(" ".join(one), " ".join(other))
    if len(longer) == len(shorter):
        return min(together, _word_by_word(shorter, longer)) if len(shorter) > 1 else together
    # One has a middle name that the other leaves out.
    return _word_by_word(shorter, longer)


def _is_single(words: Sequence[str]) -> bool:
    """Whether there is one word at most to know somebody by: articles such as "al" are none."""
    return sum(len(word) != 2 for word in words) < 2


def _word_by_word(shorter: Sequence[str], longer: Sequence[str]) -> float:
    """The likeness of each word with its best partner, by their lengths; each partner once."""
    left = list(longer)
    total, letters, worst = 0.0, 0, 100.0
    for word in sorted(shorter, key=len, reverse=True):
        best = max(left, key=lambda other: fuzz.ratio(word, other))
        left.remove(best)
        alike = fuzz.ratio(word, best)
        if len(word) == 1 and best.startswith(word):
            alike = 90.0  # an initial
        total += alike * len(word)
        letters += len(word)
        worst = min(worst, alike)
    # Where one word is another word altogether it is another person, however alike the rest.
    return total / letters if worst >= _SAME_WORD else min(worst, total / letters)


_SAME_WORD = 70
_SAME_WORDS = 80
_SAME_PART = 80


def _needed(words: Sequence[str], one: Listed, threshold: int) -> int:
    return max(threshold, _CLOSE) if _is_single(words) or _is_single(one.words) else threshold


def _pairs(text: str) -> frozenset[str]:
    return frozenset(text[at : at + 2] for at in range(len(text) - 1))


@dataclass(frozen=True, slots=True)
class _Group:
    """Pieces of one name, one after another, that together are words of the other.

    Attributes:
        start: the first piece, and ``end`` the one after the last.
        words: places of the listed words.
        alike: the likeness of both.
        letters: of the listed words.
    """

    start: int
    end: int
    words: tuple[int, ...]
    alike: float
    letters: int


def _regrouped(pieces: Sequence[str], listed: Sequence[str]) -> float:
    """The likeness of a name whose words may be split or joined with a listed one; 0 for none.

    Runs of pieces that together are one listed word, or several in any order, are taken for those words.
    What is left over is another word, unless one of the two has nothing left:
    then the other has a middle name more.
    """
    groups = list(_groups(pieces, listed))
    if not any(one.end - one.start > 1 or len(one.words) > 1 for one in groups):
        return 0.0  # nothing is split or joined
    # What is left over costs little, so that words beside the name do not blur it, or much, so that a letter
    # split off stays with its word.
    return max(_covered(_best_cover(groups, pieces, cost), pieces, listed) for cost in (30, 100))


def _covered(taken: Sequence[_Group], pieces: Sequence[str], listed: Sequence[str]) -> float:
    """The likeness that these groups find."""
    used_pieces = {at for one in taken for at in range(one.start, one.end)}
    used_words = {place for one in taken for place in one.words}
    rest = [piece for at, piece in enumerate(pieces) if at not in used_pieces and piece not in _NO_NAMES]
    missing = [word for at, word in enumerate(listed) if at not in used_words]
    if not missing or "".join(rest) in _NO_NAMES:
        rest = []
    if not any(one.end - one.start > 1 or len(one.words) > 1 for one in taken) or _is_single(
        [*(listed[place] for place in used_words), *rest]
    ):
        return 0.0
    parts = [(one.alike, one.letters) for one in taken]
    if rest:
        shorter, longer = sorted((rest, missing), key=len)
        parts.append((_word_by_word(shorter, longer), sum(map(len, shorter))))
    total = sum(alike * letters for alike, letters in parts) / sum(letters for _, letters in parts)
    worst = min(alike for alike, _ in parts)
    return total if worst >= _SAME_WORD else min(worst, total)


def _best_cover(groups: Sequence[_Group], pieces: Sequence[str], cost: int) -> tuple[_Group, ...]:
    """The groups, each piece and each word once, that are most alike; a letter left over has a cost."""
    by_start = defaultdict(list)
    for one in groups:
        by_start[one.start].append(one)
    # From each piece on, by the words that are used so far: the value of the best way there, and the way.
    ways: list[dict[frozenset[int], tuple[float, tuple[_Group, ...]]]] = [{} for _ in range(len(pieces) + 1)]
    ways[0][frozenset()] = (0.0, ())
    for at, piece in enumerate(pieces):
        for used, (value, way) in ways[at].items():
            _keep(ways[at + 1], used, value - cost * len(piece), way)
            for one in by_start[at]:
                if used.isdisjoint(one.words):
                    more = value + one.alike * one.letters
                    _keep(ways[one.end], used.union(one.words), more, (*way, one))
    return max(ways[-1].values(), key=lambda found: found[0])[1]


def _keep(
    ways: dict[frozenset[int], tuple[float, tuple[_Group, ...]]],
    used: frozenset[int],
    value: float,
    way: tuple[_Group, ...],
) -> None:
    if used not in ways or ways[used][0] < value:
        ways[used] = (value, way)


@lru_cache(maxsize=4096)
def _joined(listed: tuple[str, ...]) -> Sequence[tuple[tuple[int, ...], str]]:
    """The words of a listed name by their places, alone and together in any order."""
    return [
        (places, "".join(listed[place] for place in places))
        for count in range(1, min(len(listed), _MOST_JOINED) + 1)
        for places in permutations(range(len(listed)), count)
    ]


def _groups(pieces: Sequence[str], listed: Sequence[str]) -> Iterator[_Group]:
    joined = _joined(tuple(listed))
    longest = max(len(text) for _, text in joined)
    for start in range(len(pieces)):
        run = ""
        for end in range(start, len(pieces)):
            run += pieces[end]
            if len(run) > longest * 1.4:
                break
            for places, text in joined:
                # Where words are taken together, one that is another word must not hide behind the others.
                least = _SAME_WORD if len(places) == 1 else _SAME_WORDS
                alike = fuzz.ratio(run, text, score_cutoff=least)
                words = [listed[place] for place in places]
                if alike and _is_one(pieces[start : end + 1], text, alike) and _has_each(run, words):
                    yield _Group(start, end + 1, places, alike, len(text))
                elif len(run) == len(places) == 1 and text.startswith(run):
                    yield _Group(start, end + 1, places, 90.0, 1)  # an initial


def _is_one(pieces: Sequence[str], word: str, alike: float) -> bool:
    """Whether all pieces belong to it: without the first or the last one it is not more alike."""
    if len(pieces) == 1:
        return True
    without = [(pieces[0], pieces[1:]), (pieces[-1], pieces[:-1])]
    return all(len(edge) < 3 or fuzz.ratio("".join(rest), word) <= alike for edge, rest in without)


def _has_each(run: str, words: Sequence[str]) -> bool:
    """Whether each of several words stands about where it has to."""
    if len(words) == 1:
        return True
    at = 0
    for word in words:
        around = (run[max(at + by, 0) : at + by + len(word)] for by in range(-2, 3))
        if max(fuzz.ratio(word, part) for part in around) < _SAME_PART:
            return False
        at += len(word)
    return True


def _is_hit(request: CheckRequest, listed: SanctionsList, is_hit: Any) -> bool:
    every = list(request.everybody())
    if any(one.bic is not None and one.bic[:8].upper() in listed.bics for one in every):
        return True
    if any(one.lei is not None and one.lei.upper() in listed.leis for one in every):
        return True
    return any(is_hit(one.name) for one in every if one.name)


def _listed(entry: Any, number: int) -> Iterator[Listed]:
    for name in _texts(entry, "names", number):
        words = words_of(name)
        if not words:
            raise Malformed(f"sanctions list: entries[{number}].names", "names with letters")
        yield Listed(words, " ".join(words))


def _texts(entry: Any, name: str, number: int) -> list[str]:
    values = entry.get(name, []) if isinstance(entry, Mapping) else None
    if not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
        raise Malformed(f"sanctions list: entries[{number}].{name}", "a list of texts")
    return values
