"""Settings of the whole suite."""

import os

from hypothesis import settings

# Hypothesis brings a profile for CI; elsewhere, too, a busy machine must not fail a test for being slow.
if "CI" not in os.environ:
    settings.register_profile("budgetd", deadline=None)
    settings.load_profile("budgetd")
