"""The model peer: a process that speaks the wire formats of providers, keeps a bill and misbehaves.

`python -m tests.peer --ledger FILE [--script FILE]` prints its port. A script is
`{"rules": [{"match": {...}, ...}]}`; the first rule whose match holds answers:

- match: `text` (occurs in what is sent), `model`, `nth` (of the requests for this model, from 1),
  `format` (openai, anthropic)
- `reply` (a text, or a value that is sent as JSON), `calls` [{name, params}],
  `usage` (buckets that do not overlap), `fault` (a kind, or {kind, ...}: see `faults.py`)

`POST /control/script` takes a new script and forgets the counts; `GET /control/bodies` returns
what was sent since then.
"""
