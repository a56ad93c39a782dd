"""What steps wait for besides time: events, links of one use, forms."""
