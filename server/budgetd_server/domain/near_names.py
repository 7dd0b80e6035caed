"""Names that resemble an unknown one, found in bounded time, because anybody may send any name."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from difflib import SequenceMatcher

from budgetd_server.domain.bare_names import bare_names

NEAR_MAX = 3

#: What is compared of a name; the rest of a longer one cannot cost time.
_COMPARED_CHARACTERS_MAX = 32
#: The longest name that is looked through for a version.
_BARED_CHARACTERS_MAX = 256
#: How many neighbours in alphabetical order are compared, on each side of the name and after each shortened
#: form.
_NEIGHBOURS = 4
_SHORTENED_BY = (1, 2, 3, 4)
_RATIO_MIN = 0.6

#: "gpt4o", "GPT-4o" and "gpt_4.o" are neighbours.
_PUNCTUATION = str.maketrans("", "", "-_.: @")


class NearNames:
    """An index over known names.

    A question costs some binary searches and at most 72 short comparisons; of a provider's model, at most 144.

    Args:
        names: The known names.
        provider_of: Who serves a known name.
    """

    def __init__(self, names: Iterable[str], provider_of: Callable[[str], str] = lambda _: "") -> None:
        # "gpt-4o" is near "azure/gpt-4o" too. The shortest names of a form, of one provider each, speak for all.
        by_form: dict[str, list[str]] = {}
        for name in sorted(names, key=lambda name: (len(name), name)):
            for form in _forms(name, provider_of):
                same = by_form.setdefault(form, [])
                if len(same) < NEAR_MAX and _prefix(name) not in map(_prefix, same):
                    same.append(name)
        self._by_form = by_form
        self._forms = sorted(by_form)
        self._provider_of = provider_of

    def of(self, name: str, provider: str = "") -> Sequence[str]:
        """At most three names that resemble this one; often none.

        Those of the provider come first, if one was told, then the most alike. Of models with the very name that was
        sent, those of several providers are told; of others, one.
        """
        ratios: dict[str, float] = {}
        for wanted in _forms(name):
            matcher = SequenceMatcher(None, "", wanted, autojunk=False)
            for form in self._neighbours(wanted):
                if ratio := _ratio(matcher, form):
                    for known in self._by_form[form][: NEAR_MAX if form == wanted else 1]:
                        ratios[known] = max(ratios.get(known, 0.0), ratio)
        if provider:
            self._add_own(ratios, name, provider)
        likely = [
            (bool(provider) and self._provider_of(known) != provider, -ratio, len(known), known)
            for known, ratio in ratios.items()
        ]
        return [known for *_, known in sorted(likely)[:NEAR_MAX]]

    def _add_own(self, ratios: dict[str, float], name: str, provider: str) -> None:
        """Add names of the provider's that resemble one, the provider left out."""
        bare = _bare_form(name)
        matcher = SequenceMatcher(None, "", bare, autojunk=False)
        for form in self._neighbours(_form(f"{provider}/{name.rpartition('/')[2]}")):
            for known in self._by_form[form]:
                if self._provider_of(known) == provider and (ratio := _ratio(matcher, form.rpartition("/")[2])):
                    ratios[known] = max(ratios.get(known, 0.0), ratio)

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
    # Cut a second time: punctuation takes no room from what is compared.
    return name[: 2 * _COMPARED_CHARACTERS_MAX].casefold().translate(_PUNCTUATION)[:_COMPARED_CHARACTERS_MAX]


def _forms(name: str, provider_of: Callable[[str], str] | None = None) -> set[str]:
    """What a name is compared by: whole, without a provider, and without a version and a date.

    Args:
        name: Any name.
        provider_of: Who serves a known name. Ids that begin with a vendor, as Bedrock's "us.anthropic.claude…" do, are
            also compared without it, as names of that provider. None: the name is not known.
    """
    forms = {_form(name), _bare_form(name)}
    bare = (bare_names(name[:_BARED_CHARACTERS_MAX]) or ("",))[-1]
    begin, found, _ = name.partition(bare) if bare else ("", "", "")
    if found:
        forms.add(_form(begin + bare))
        if provider_of is not None and begin.endswith("."):
            forms.add(_form(f"{provider_of(name)}/{bare}"))
    return forms


def _prefix(name: str) -> str:
    """What stands for the provider in a name; empty: nothing does."""
    return name.partition("/")[0] if "/" in name else ""


def _bare_form(name: str) -> str:
    return _form(name.rpartition("/")[2])


def _ratio(matcher: SequenceMatcher[str], form: str) -> float:
    """How alike a form is to the one that the matcher was made for, from 0 to 1; zero if it is not alike."""
    matcher.set_seq1(form)
    # Two cheap upper bounds spare most of the exact comparisons.
    if matcher.real_quick_ratio() >= _RATIO_MIN and matcher.quick_ratio() >= _RATIO_MIN:
        ratio = matcher.ratio()
        return ratio if ratio >= _RATIO_MIN else 0.0
    return 0.0
