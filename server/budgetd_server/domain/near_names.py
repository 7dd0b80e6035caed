"""Names that resemble an unknown one, found in bounded time, because anybody may send any name."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

NEAR_MAX = 3

#: What is compared of a name; the rest of a longer one cannot cost time.
_COMPARED_CHARACTERS_MAX = 32
#: How many neighbours in alphabetical order are compared, on each side of the name and after each shortened
#: form.
_NEIGHBOURS = 4
_SHORTENED_BY = (1, 2, 3, 4)
_RATIO_MIN = 0.6

#: "gpt4o", "GPT-4o" and "gpt_4.o" are neighbours.
_PUNCTUATION = str.maketrans("", "", "-_.: @")


class NearNames:
    """An index over known names. A question costs some binary searches and at most 48 short comparisons."""

    def __init__(self, names: Iterable[str]) -> None:
        # "gpt-4o" is near "azure/gpt-4o" too, but the shortest name of a form speaks for all.
        by_form: dict[str, str] = {}
        for name in sorted(names, key=lambda name: (-len(name), name)):
            by_form[_form(name.rpartition("/")[2])] = name
            by_form[_form(name)] = name
        self._by_form = by_form
        self._forms = sorted(by_form)

    def of(self, name: str) -> Sequence[str]:
        """At most three names that resemble this one, the most alike first; often none."""
        ratios: dict[str, float] = {}
        for wanted in {_form(name), _form(name.rpartition("/")[2])}:
            matcher = SequenceMatcher(None, "", wanted, autojunk=False)
            for form in self._neighbours(wanted):
                matcher.set_seq1(form)
                # Two cheap upper bounds spare most of the exact comparisons.
                if matcher.real_quick_ratio() >= _RATIO_MIN and matcher.quick_ratio() >= _RATIO_MIN:
                    known = self._by_form[form]
                    ratios[known] = max(ratios.get(known, 0.0), matcher.ratio())
        likely = [(-ratio, len(known), known) for known, ratio in ratios.items() if ratio >= _RATIO_MIN]
        return [known for _, _, known in sorted(likely)[:NEAR_MAX]]

    def _neighbours(self, wanted: str) -> set[str]:
        at = bisect_left(self._forms, wanted)
        near = set(self._forms[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS])
        # A slip near the end moves a name behind all that go on where it was right; the shortened forms lead
        # back.
        for count in _SHORTENED_BY:
            at = bisect_left(self._forms, wanted[:-count])
            near.update(self._forms[at : at + _NEIGHBOURS])
        return near


def _form(name: str) -> str:
    return name[:_COMPARED_CHARACTERS_MAX].casefold().translate(_PUNCTUATION)
