"""Who may sign in, and how: passwords, codes, links, tokens, their data."""
