"""Writes steps that hold others."""


def loop(body, items="inputs.items", **fields):
    return {"id": "each", "type": "loop", "items": items, "steps": body} | fields


def scatter(body, items="inputs.items", **fields):
    return {"id": "each", "type": "scatter_gather", "items": items, "steps": body} | fields


def group(branches, **fields):
    return {"id": "both", "type": "parallel_group", "branches": branches} | fields


def pause(name, seconds):
    return {"id": name, "type": "delay", "for_s": seconds}
