"""What people do with executions: start, pause, retry, fork, move, simulate; what it would take."""
