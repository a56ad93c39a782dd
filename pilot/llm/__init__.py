"""The way to models: a request goes in, an answer with its usage and cost comes out.

It knows no database: what has to be booked goes through the gate that the caller gives.
"""
