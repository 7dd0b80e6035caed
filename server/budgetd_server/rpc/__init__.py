"""Who asks: messages become commands, outcomes become answers, errors become statuses."""
