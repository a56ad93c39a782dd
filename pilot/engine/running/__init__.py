"""The one runner: an execution, its attempts, effects, containers, what is written about them."""
