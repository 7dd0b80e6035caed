"""Each difference between the two classes is one, and is what the table says."""

import pytest

from tests.parity.differences import DIFFERENCES, Difference
from tests.parity.sides import Side

every_difference = pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda each: each.name)


@every_difference
def test_theirs_does_what_the_table_says(difference: Difference, theirs: Side) -> None:
    shown = difference.show(theirs)

    assert shown == difference.theirs


@every_difference
def test_ours_does_what_the_table_says(difference: Difference, ours: Side) -> None:
    shown = difference.show(ours)

    assert shown == difference.ours


def test_every_difference_has_a_name_of_its_own_and_two_sides() -> None:
    assert len({each.name for each in DIFFERENCES}) == len(DIFFERENCES)
    assert [each.name for each in DIFFERENCES if each.theirs == each.ours] == []
