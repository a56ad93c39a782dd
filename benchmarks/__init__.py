"""Measurements: `make bench` runs them all, `make bench NAME=w1` one."""
