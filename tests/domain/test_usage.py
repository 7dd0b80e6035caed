"""Usage: which counts are valid, and how an error names those that are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd_server.domain.usage import COUNT_MAX, NO_PARTS, NO_USAGE, Parts, Usage, usage_violations

COUNTS = st.one_of(st.integers(-2, 3), st.integers(COUNT_MAX - 2, COUNT_MAX + 2), st.integers(-(2**70), 2**70))


def test_no_usage_is_valid_and_has_no_tokens() -> None:
    assert usage_violations(NO_USAGE) == []
    assert NO_USAGE.tokens == 0


def test_tokens_are_input_and_output_and_count_no_part_twice() -> None:
    usage = Usage(
        input_tokens=100, output_tokens=10, cached_input_tokens=60, cache_write_tokens=40, reasoning_tokens=10
    )

    assert usage.tokens == 110
    assert usage_violations(usage) == []


@given(st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, st.just(NO_PARTS)))
def test_the_quick_check_lets_through_exactly_what_the_rules_allow(usage: Usage) -> None:
    is_valid = (
        all(0 <= count <= COUNT_MAX for count in usage[:-1])
        and usage.cached_input_tokens + usage.cache_write_tokens <= usage.input_tokens
        and usage.reasoning_tokens <= usage.output_tokens
    )

    assert (usage_violations(usage) == []) is is_valid


@pytest.mark.parametrize(
    ("usage", "fields"),
    [
        pytest.param(Usage(input_tokens=-1), ["input_tokens"], id="a negative count"),
        pytest.param(Usage(output_tokens=COUNT_MAX + 1), ["output_tokens"], id="a count too large"),
        pytest.param(Usage(1, 0, 2), ["cached_input_tokens"], id="more cached than input"),
        pytest.param(Usage(1, 0, 0, 2), ["cache_write_tokens"], id="more written than input"),
        pytest.param(Usage(3, 0, 2, 2), ["cached_input_tokens"], id="only together more than input"),
        pytest.param(Usage(0, 1, 0, 0, 2), ["reasoning_tokens"], id="more reasoning than output"),
        pytest.param(
            Usage(-1, 0, 0, 0, COUNT_MAX + 1),
            ["input_tokens", "reasoning_tokens"],
            id="every count that is none is named, not only the first",
        ),
        pytest.param(
            Usage(1, 2, 3, 0, 4),
            ["cached_input_tokens", "reasoning_tokens"],
            id="every part larger than its whole is named",
        ),
    ],
)
def test_a_violation_names_the_field_and_the_value(usage: Usage, fields: list[str]) -> None:
    violations = usage_violations(usage)

    assert [violation.name for violation in violations] == fields
    for violation in violations:
        value = getattr(usage, violation.name)
        assert str(value) in violation.description


WHOLE = Usage(100, 50, 40, 30, 10)


@pytest.mark.parametrize(
    ("parts", "fields"),
    [
        pytest.param(Parts(audio_input_tokens=101), ["audio_input_tokens"], id="more audio than input"),
        pytest.param(Parts(image_output_tokens=51), ["image_output_tokens"], id="more images than output"),
        pytest.param(Parts(citation_tokens=101), ["citation_tokens"], id="more citations than input"),
        pytest.param(Parts(cache_write_1h_tokens=31), ["cache_write_1h_tokens"], id="more kept an hour than written"),
        pytest.param(
            Parts(audio_input_tokens=90, cached_audio_input_tokens=41),
            ["cached_audio_input_tokens"],
            id="more cached audio than cached",
        ),
        pytest.param(
            Parts(audio_input_tokens=60, image_input_tokens=60),
            ["audio_input_tokens"],
            id="audio and images that are more than all, the first of equals",
        ),
        pytest.param(
            Parts(audio_input_tokens=1, image_input_tokens=20, citation_tokens=80),
            ["citation_tokens"],
            id="three that are more than all, the largest",
        ),
        pytest.param(
            Parts(audio_output_tokens=20, image_output_tokens=31), ["image_output_tokens"], id="more made than output"
        ),
        pytest.param(
            Parts(audio_input_tokens=101, image_input_tokens=102, citation_tokens=1),
            ["audio_input_tokens", "image_input_tokens"],
            id="each that is more than all by itself, and not their sum",
        ),
        pytest.param(
            Parts(audio_input_tokens=50, cached_audio_input_tokens=60),
            ["cached_audio_input_tokens", "cached_audio_input_tokens"],
            id="more cached audio than cached, and than audio",
        ),
        pytest.param(
            Parts(image_input_tokens=39, cached_image_input_tokens=40),
            ["cached_image_input_tokens"],
            id="more cached images than images",
        ),
        pytest.param(
            Parts(
                audio_input_tokens=50,
                image_input_tokens=50,
                cached_audio_input_tokens=20,
                cached_image_input_tokens=21,
            ),
            ["cached_image_input_tokens"],
            id="cached audio and images that are more than cached",
        ),
        pytest.param(Parts(web_searches=-1), ["web_searches"], id="a negative number of searches"),
        pytest.param(Parts(characters=COUNT_MAX + 1), ["characters"], id="far too many characters"),
    ],
)
def test_a_part_is_refused_by_name_where_it_is_more_than_its_whole(parts: Parts, fields: list[str]) -> None:
    found = [violation.name for violation in usage_violations(WHOLE._replace(parts=parts))]

    assert found == fields


def test_parts_that_are_too_many_together_are_all_reported_under_the_name_of_the_largest() -> None:
    parts = Parts(audio_input_tokens=60, image_input_tokens=70)

    (violation,) = usage_violations(WHOLE._replace(parts=parts))

    assert violation.name == "image_input_tokens"
    rule = "audio_input_tokens 60 and image_input_tokens 70 together must not exceed input_tokens 100"
    assert violation.description == f"{rule}, which includes them"


_SMALL = st.integers(-1, 4)


@given(st.builds(Usage, _SMALL, _SMALL, _SMALL, _SMALL, _SMALL, st.builds(Parts, *[_SMALL] * len(Parts._fields))))
def test_a_violation_names_one_field_and_is_reported_once(usage: Usage) -> None:
    violations = usage_violations(usage)

    assert {each.name for each in violations} <= {*Usage._fields[:-1], *Parts._fields}
    assert len(violations) == len(set(violations))


def test_parts_that_fill_their_wholes_exactly_are_fine() -> None:
    parts = Parts(
        audio_input_tokens=60,
        image_input_tokens=20,
        citation_tokens=20,
        cached_audio_input_tokens=40,
        cache_write_1h_tokens=30,
        audio_output_tokens=25,
        image_output_tokens=25,
        pages=COUNT_MAX,
    )

    assert usage_violations(WHOLE._replace(parts=parts)) == []
