"""People decide: approvals, other approvers, changed payloads."""
