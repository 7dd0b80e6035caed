"""Random calls of the methods, right and wrong."""

from typing import Any

from tests.parity.completions import CHAT_MODELS, TEXT_MODELS, UNKNOWN_MODEL, completion, response
from tests.parity.drawing import USERS, Draw, Step, called

DURATIONS = ("daily", "weekly", "monthly", "yearly")


def create(draw: Draw) -> Step:
    """A budget, new or again."""
    arguments: dict[str, Any] = {"total_budget": draw.amount(), "user": draw.random.choice(USERS)}
    if draw.random.random() < 0.7:
        arguments["duration"] = draw.random.choice(DURATIONS)
    if draw.random.random() < 0.7:
        arguments["created_at"] = draw.past_time()
    return called("create_budget", **arguments)


def create_badly(draw: Draw) -> Step:
    """A budget with one argument that is wrong."""
    arguments: dict[str, Any] = {"total_budget": draw.amount(), "user": draw.random.choice(USERS)}
    wrong: dict[str, Any] = draw.random.choice(
        [
            {"duration": "hourly"},
            {"duration": ""},
            {"duration": "Daily"},
            {"total_budget": -1},
            {"total_budget": float("nan")},
            {"total_budget": float("inf")},
            {"total_budget": "ten dollars"},
            {"total_budget": None},
            {"user": None},
        ]
    )
    return called("create_budget", **{**arguments, **wrong})


def charge_object(draw: Draw) -> Step:
    """A completion, as LiteLLM returns it or made by hand."""
    user, model = draw.user(), draw.random.choice(list(CHAT_MODELS))
    tokens, make = draw.tokens(model), draw.random.choice([completion, response])
    given = make(model, tokens)
    # A model or a text alone has no effect with a completion.
    idle = draw.random.choice([{}, {}, {"model": "gpt-4o"}, {"input_text": "hello"}])
    return Step(
        f"update_cost({user!r}, {make.__name__}({model!r}, {tokens}), **{idle})",
        lambda manager: manager.update_cost(user=user, completion_obj=given, **idle),
    )


def charge_dict(draw: Draw) -> Step:
    """A completion as a dict."""
    user, model = draw.user(), draw.random.choice(list(CHAT_MODELS))
    tokens = draw.tokens(model)
    given = response(model, tokens).model_dump()
    return Step(
        f"update_cost({user!r}, response({model!r}, {tokens}).model_dump())",
        lambda manager: manager.update_cost(user, given),
    )


def charge_texts(draw: Draw) -> Step:
    """Texts, to be counted."""
    arguments: dict[str, Any] = {"user": draw.user(), "model": draw.random.choice(TEXT_MODELS)}
    arguments |= {"input_text": draw.text(), "output_text": draw.text()}
    if draw.random.random() < 0.2:
        # Texts count for more than a completion.
        arguments["completion_obj"] = {"model": "o3", "usage": {"prompt_tokens": 8, "completion_tokens": 4}}
    return called("update_cost", **arguments)


def charge_wrongly(draw: Draw) -> Step:
    """A charge that cannot be made, or that only one of the two classes makes."""
    user, known = draw.user(), draw.random.choice(draw.known or USERS)
    usage = {"prompt_tokens": 8, "completion_tokens": 4}
    return draw.random.choice(
        [
            called("update_cost", user=user),
            called("update_cost", user=user, completion_obj={}),
            called("update_cost", user=user, model="gpt-4o", input_text="hello"),
            called("update_cost", user=user, model="gpt-4o", input_text="hello", output_text=""),
            called("update_cost", user=user, model=UNKNOWN_MODEL, input_text="hello", output_text="world"),
            called("update_cost", user=user, completion_obj={"model": UNKNOWN_MODEL, "usage": usage}),
            called("update_cost", user=known, completion_obj={"usage": usage}),
            called("update_cost", user=known, completion_obj={"model": "gpt-4o"}),
            called("update_cost", user=known, completion_obj={"model": "gpt-4o", "usage": {"prompt_tokens": -8}}),
            called("update_cost"),
            called("update_cost", user=user, amount=1),
        ]
    )


def project(draw: Draw) -> Step:
    """What a prompt would cost."""
    contents = [draw.text() for _ in range(draw.random.randint(0, 3))]
    messages = [{"role": "user", "content": content} for content in contents]
    return called("projected_cost", model=draw.random.choice(TEXT_MODELS), messages=messages, user=draw.user())


def project_wrongly(draw: Draw) -> Step:
    """A projection that cannot be made."""
    content: dict[str, Any] = draw.random.choice(
        [{}, {"content": None}, {"content": [{"type": "text", "text": "hello"}]}]
    )
    model = draw.random.choice([UNKNOWN_MODEL, "gpt-4o"])
    if model == UNKNOWN_MODEL:
        content = {"content": "hello"}
    return called("projected_cost", model=model, messages=[{"role": "user", **content}], user=draw.user())


def get(draw: Draw) -> Step:
    """One figure of a user."""
    method = draw.random.choice(["get_total_budget", "get_current_cost", "get_model_cost", "is_valid_user"])
    return called(method, draw.user())


def get_users(_draw: Draw) -> Step:
    """Every user."""
    return called("get_users")


def call_wrongly(draw: Draw) -> Step:
    """A call with arguments missing or too many."""
    method = draw.random.choice(["get_total_budget", "get_current_cost", "get_model_cost", "is_valid_user"])
    return draw.random.choice(
        [
            called(method),
            called(method, draw.user(), draw.user()),
            called("create_budget"),
            called("create_budget", total_budget=1),
            called("projected_cost", "gpt-4o"),
            called("reset_on_duration"),
            called("get_users", 1),
            called("reset_cost", name="alice"),
        ]
    )


def reset(draw: Draw) -> Step:
    """Back to zero."""
    return called("reset_cost", user=draw.user())


def reset_on_duration(draw: Draw) -> Step:
    """Back to zero if the time has come."""
    return called("reset_on_duration", draw.user())


def reset_all(_draw: Draw) -> Step:
    """The same for everybody."""
    return called("update_budget_all_users")


def save_and_load(_draw: Draw) -> Step:
    """To the disk and back."""
    return Step("save_data(); load_data()", lambda manager: (manager.save_data(), manager.load_data()))
