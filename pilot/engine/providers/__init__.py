"""Models to ask: catalogue, keys, prices, rest after faults; the ledger and the budgets."""
