"""How much is compared: as many seeds as here, each with as many steps."""

SEEDS = tuple(range(9))
STEPS = 600
