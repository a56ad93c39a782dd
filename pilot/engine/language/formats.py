"""An example of each format that a schema may ask of a text."""

EXAMPLES = {  # for people, and for what is not there yet
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "P1DT12H",
    "email": "ann@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "01890a5d-ac96-774b-bcce-b302099a8057",
}
