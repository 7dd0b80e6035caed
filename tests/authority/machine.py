"""A state machine over every command: it draws a command or a jump of the clock, and store and model have to agree.

Ids are few and amounts small, so that limits are met, ids are used again, and commands find what others have left.
"""

from tests.authority.budget_rules import BudgetRules
from tests.authority.spending_rules import SpendingRules
from tests.authority.time_rules import TimeRules


class Machine(BudgetRules, SpendingRules, TimeRules):
    """Commands of every kind on the budgets of two projects."""
