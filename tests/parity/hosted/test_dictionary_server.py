"""The server that ours is compared with keeps what LiteLLM's class saves, as the class reads it."""

from tests.parity.hosted.dictionary_server import DictionaryServer
from tests.parity.hosted.unmodified import PROJECT, opener, wait_for_saves

CHARGE = {"model": "gpt-4o-mini", "usage": {"prompt_tokens": 4, "completion_tokens": 0, "total_tokens": 4}}


def test_what_was_saved_is_loaded_and_outlives_the_server(dictionary: DictionaryServer) -> None:
    manager = opener(dictionary.api_base)(PROJECT)
    manager.create_budget(10, "alice", "daily")
    manager.update_cost("alice", CHARGE)
    wait_for_saves()
    manager.save_data()
    next_run = DictionaryServer(dictionary.kept)

    loaded = [opener(each.api_base)(PROJECT).user_dict for each in (dictionary, next_run)]

    next_run.stop()
    assert loaded == [manager.user_dict, manager.user_dict]


def test_projects_are_apart_and_an_unknown_one_is_empty(dictionary: DictionaryServer) -> None:
    manager = opener(dictionary.api_base)("first")
    manager.create_budget(10, "alice")

    answer = manager.save_data()

    assert answer == {"status": "success"}
    assert opener(dictionary.api_base)("second").get_users() == []


def test_who_saves_last_wins(dictionary: DictionaryServer) -> None:
    first, second = (opener(dictionary.api_base)(PROJECT) for _ in range(2))
    first.create_budget(10, "alice")
    second.create_budget(20, "bob")

    first.save_data()
    second.save_data()

    assert opener(dictionary.api_base)(PROJECT).get_users() == ["bob"]


def test_a_save_can_be_lost_on_purpose() -> None:
    server = DictionaryServer(loses=lambda number: number == 1)
    manager = opener(server.api_base)(PROJECT)

    for user in ("alice", "bob"):
        manager.create_budget(10, user)
        manager.save_data()

    loaded = opener(server.api_base)(PROJECT)
    server.stop()
    assert loaded.get_users() == ["alice"]
