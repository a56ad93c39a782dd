"""From a goal to a checked workflow, by the cheapest way that works, and from there to an agent."""
