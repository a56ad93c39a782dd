"""Modules are loaded without a search for garbage; afterwards it is searched for again."""

import gc

import pytest

from pilot import garbage


def test_it_is_not_searched_for_meanwhile():
    with garbage.unsought():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_module_that_cannot_be_loaded_leaves_the_search_on():
    with pytest.raises(ImportError), garbage.unsought():
        raise ImportError
    assert gc.isenabled()


def test_what_was_loaded_is_left_out():
    gc.unfreeze()
    with garbage.unsought():
        pass
    assert gc.get_freeze_count()


def test_a_worker_searches_less_often():
    before = gc.get_threshold()
    gc.set_threshold(700)
    try:
        garbage.seldom()
        assert gc.get_threshold()[0] > 700
    finally:
        gc.set_threshold(*before)
