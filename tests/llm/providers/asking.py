"""How the tests of both wire formats ask the peer."""

import pytest

from pilot.llm import providers
from pilot.llm.messages import Message, Request
from pilot.llm.reasons import ModelFaultError
from tests.patience import LONG_S

ASK = Request("Be brief.", (Message("user", "Which colour?"),), max_output=100, timeout_s=LONG_S)
BOTH = pytest.mark.parametrize("form", ["openai", "anthropic"])


def send(model, request=ASK):
    """Ask once."""
    return providers.load(model.provider).send(request, model)


def fault(model, request=ASK):
    """Ask once and return the fault."""
    with pytest.raises(ModelFaultError) as caught:
        send(model, request)
    return caught.value
