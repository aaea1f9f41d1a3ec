"""Cyrillic and Greek letters, and Latin ones that are no letter with an accent, as plain Latin letters.

Passports differ in how they write a name; what remains of the difference is for the likeness of names.
Source: ICAO Doc 9303, part 3, section 6, tables A and B, without their alternatives.
"""

_CYRILLIC = (
    "а a б b в v г g д d е e ё e ж zh з z и i й i к k л l м m н n о o п p р r с s т t у u ф f х kh ц ts ч ch"
    " ш sh щ shch ы y э e ю iu я ia є ie і i ї i ґ g ў u ђ d ј j љ lj њ nj ћ c џ dz ѓ g ќ k ѕ dz"
    # Kazakh, Tatar, Kyrgyz and their neighbours
    " ә a ғ gh қ q ң n ө o ұ u ү u һ h җ zh ҳ h ҷ j ҙ z ҡ q ҫ s"
)
_GREEK = (
    "α a β v γ g δ d ε e ζ z η i θ th ι i κ k λ l μ m ν n ξ x ο o π p ρ r σ s ς s τ t υ y φ f χ ch ψ ps ω o"
    " ά a έ e ή i ί i ό o ύ y ώ o ϊ i ϋ y ΐ i ΰ y"
)
_LATIN = "æ ae œ oe ø o ß ss đ d ð d þ th ł l ı i ħ h ŋ n ä a ö o ü u å a ё e ə a ƙ k ɗ d ɓ b"


def _table(*texts: str) -> dict[int, str]:
    table = {}
    for text in texts:
        letters = text.split()
        table.update({ord(letter): plain for letter, plain in zip(letters[::2], letters[1::2], strict=True)})
    return table


_LETTERS = _table(_CYRILLIC, _GREEK, _LATIN) | {ord(letter): "" for letter in "ъь"}


def latin(text: str) -> str:
    """The text with each letter of these written in plain Latin ones; ``text`` is in lower case."""
    return text.translate(_LETTERS)
