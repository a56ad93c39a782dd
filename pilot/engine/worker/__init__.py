"""A worker process: its resident loop, its heartbeat, its chores."""
