"""Pages in browsers are refused, whatever they send."""

import pytest

from tests.http.conftest import Observed

BODY = {"project_name": "project", "user_dict": {"alice": {"total_budget": 1}}}


@pytest.mark.parametrize("origin", ["https://example.com", "http://127.0.0.1:9464", "null"])
@pytest.mark.parametrize("call", ["/get_budget", "/set_budget"])
def test_a_page_in_a_browser_is_refused_and_changes_nothing(observed: Observed, origin: str, call: str) -> None:
    before = observed.server.stored()

    answer = observed.http.post(call, json=BODY, headers={"Origin": origin, "Content-Type": "text/plain"})

    assert answer.status_code == 403
    assert answer.json()["status"] == "error"
    assert observed.server.stored() == before
