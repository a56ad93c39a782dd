"""The estimate: rather too many than too few."""

import pytest

from pilot.llm import tokens
from pilot.llm.messages import Message, Request, ToolSpec


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("", 0, 0),
        ("The quick brown fox jumps over the lazy dog.", 10, 11),
        ("1234567890", 4, 4),
        ("aGVsbG8gd29ybGQgdGhpcyBpcyBiYXNlNjQ9PQ1", 20, 30),
        ("Übergröße für Ännchen", 5, 14),
        ("你好世界", 3, 5),
        ("🙂🙂", 6, 7),
    ],
)
def test_the_estimate_is_near(text, least, most):
    assert least <= tokens.estimate(text) <= most


def test_all_that_is_sent_counts():
    small = Request("system", (Message("user", "hi"),))
    tool = ToolSpec("mail.send", "Sends a mail.", {"type": "object"})
    large = Request("system", (Message("user", "hi"),), schema={"type": "object"}, tools=(tool,))
    assert tokens.of_request(large) > tokens.of_request(small) > 0
    assert tokens.at_most(small) > tokens.of_request(small)
