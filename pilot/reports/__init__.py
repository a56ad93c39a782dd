"""What pages read: SELECTs only, as the visitor; each function takes the open session."""
