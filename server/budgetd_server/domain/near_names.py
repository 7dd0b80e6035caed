"""Find names that resemble an unknown one, in bounded time, because names from callers are untrusted."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from difflib import SequenceMatcher

from budgetd_server.domain.bare_names import bare_names

NEAR_MAX = 3

#: How many characters of a name are compared, to bound the time for long ones.
_COMPARED_CHARACTERS_MAX = 32
#: The longest name in which a version is searched.
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

    A query costs a few binary searches and at most 72 short comparisons; with a provider, at most 144.

    Args:
        names: The known names.
        provider_of: Returns the provider of a known name.
    """

    def __init__(self, names: Iterable[str], provider_of: Callable[[str], str] = lambda _: "") -> None:
        # "gpt-4o" is also near "azure/gpt-4o". A form is represented by its maker's and its shortest names, one per
        # provider.
        by_form: dict[str, list[str]] = {}
        for name in sorted(names, key=lambda name: (_is_of_another(name), len(name), name)):
            for form in _forms(name, provider_of):
                same = by_form.setdefault(form, [])
                if len(same) < NEAR_MAX and _prefix(name) not in map(_prefix, same):
                    same.append(name)
        self._by_form = by_form
        self._forms = sorted(by_form)
        self._provider_of = provider_of

    def of(self, name: str, provider: str = "") -> Sequence[str]:
        """Return at most three names that resemble this one; often none.

        The same model of the provider comes first, if one was given; then names that end in the whole name with its
        publisher, other models of the provider, the same model of others, and the most similar ones. A model with
        exactly the name that was sent is returned for several providers, any other model once.
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
        model = _model(name)

        def rank(known: str) -> tuple[int, bool, float, bool, int, str]:
            is_own, is_same = bool(provider) and self._provider_of(known) == provider, _model(known) == model
            is_behind = "/" in name and known.endswith(f"/{name}")
            group = 0 if is_own and is_same else 1 if is_behind else 2 if is_own else 3
            return group, not is_same, -ratios[known], _is_of_another(known), len(known), known

        return sorted(ratios, key=rank)[:NEAR_MAX]

    def _add_own(self, ratios: dict[str, float], name: str, provider: str) -> None:
        """Add the provider's names that resemble a name, both compared without the provider."""
        bare = _bare_form(name)
        matcher = SequenceMatcher(None, "", bare, autojunk=False)
        for form in self._neighbours(_form(f"{provider}/{name.rpartition('/')[2]}")):
            for known in self._by_form[form]:
                if self._provider_of(known) == provider and (ratio := _ratio(matcher, form.rpartition("/")[2])):
                    ratios[known] = max(ratios.get(known, 0.0), ratio)

    def _neighbours(self, wanted: str) -> set[str]:
        at = bisect_left(self._forms, wanted)
        near = set(self._forms[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS])
        # A typo near the end sorts a name far from those with the same beginning; searching for the shortened forms
        # finds them again.
        for count in _SHORTENED_BY:
            at = bisect_left(self._forms, wanted[:-count])
            near.update(self._forms[at : at + _NEIGHBOURS])
        return near


def _form(name: str) -> str:
    # Cut again after removing punctuation, so that it does not count towards the compared characters.
    return name[: 2 * _COMPARED_CHARACTERS_MAX].casefold().translate(_PUNCTUATION)[:_COMPARED_CHARACTERS_MAX]


def _forms(name: str, provider_of: Callable[[str], str] | None = None) -> set[str]:
    """Return the forms that are compared: the whole name, without a provider, and without a version and a date.

    Args:
        name: Any name.
        provider_of: Returns the provider of a known name. Ids that begin with a vendor, such as Bedrock's
            "us.anthropic.claude…", are also compared without it, as names of that provider; so is "openai/gpt-oss" of
            "groq/openai/gpt-oss". None: the name is unknown.
    """
    forms = {_form(name), _bare_form(name)}
    if provider_of is not None and name.count("/") > 1:
        forms.add(_form(name.partition("/")[2]))
    bare = (bare_names(name[:_BARED_CHARACTERS_MAX]) or ("",))[-1]
    begin, found, _ = name.partition(bare) if bare else ("", "", "")
    if found:
        forms.add(_form(begin + bare))
        if provider_of is not None and begin.endswith("."):
            forms.add(_form(f"{provider_of(name)}/{bare}"))
    return forms


def _prefix(name: str) -> str:
    """Return the provider's prefix of a name. Empty if it has none."""
    return name.partition("/")[0] if "/" in name else ""


def _is_of_another(name: str) -> bool:
    """Return True if the model does not begin with the provider in the name, unlike "mistral/mistral-large"."""
    return not name.rpartition("/")[2].startswith(_prefix(name))


def _model(name: str) -> str:
    """Return the model that a name means, with its date and without its provider."""
    bare = (bare_names(f"/{name[:_BARED_CHARACTERS_MAX]}") or ("",))[0]
    return bare.casefold().translate(_PUNCTUATION)


def _bare_form(name: str) -> str:
    return _form(name.rpartition("/")[2])


def _ratio(matcher: SequenceMatcher[str], form: str) -> float:
    """Return how similar a form is to that of the matcher, from 0 to 1. Zero if it is not similar enough."""
    matcher.set_seq1(form)
    # Two cheap upper bounds avoid most of the exact comparisons.
    if matcher.real_quick_ratio() >= _RATIO_MIN and matcher.quick_ratio() >= _RATIO_MIN:
        ratio = matcher.ratio()
        return ratio if ratio >= _RATIO_MIN else 0.0
    return 0.0
