"""Classes and masks."""

import doctest

import pytest

from zhongshu.kernel.derive import get_kind
from zhongshu.security import mask
from zhongshu.security.classify import DataClass, get_class, get_field_class
from zhongshu.security.mask import mask_row

ROW = {"username": "wang", "name": "王伟", "phone": "13812341234", "email": "w.wang@example.org", "password": "argon2$x", "organisation_id": 3, "total": 9}


def test_the_examples_in_the_docstrings_hold():
    result = doctest.testmod(mask)
    assert result.attempted >= 5 and result.failed == 0


def test_a_row_is_masked_above_the_ceiling_and_core_always():
    kind = get_kind("security.User")
    internal = mask_row(kind, ROW, DataClass.INTERNAL)
    assert internal == {**ROW, "phone": "138****1234", "email": "w***@example.org", "password": "•••"}
    assert mask_row(kind, ROW, DataClass.CORE) == {**ROW, "password": "•••"}
    public = mask_row(kind, ROW, DataClass.PUBLIC)
    assert (public["name"], public["username"], public["organisation_id"], public["total"]) == ("王**", "****", "****", 9)
    assert mask_row(kind, ROW, None)["name"] == "王**"


def test_empty_values_stay_empty():
    assert mask_row(get_kind("security.User"), {"phone": "", "email": None}, None) == {"phone": "", "email": None}


def test_short_values_do_not_shine_through_their_mask():
    assert mask.mask_phone("12345") == "****"
    assert mask.mask_identity("123") == "****"
    assert mask.mask_email("@x") == "****"


def test_classes_are_ordered_and_unknown_words_are_refused():
    assert [get_class(word) for word in ("public", "", "sensitive", "core")] == sorted(DataClass)
    assert get_class("") is DataClass.INTERNAL
    with pytest.raises(ValueError, match="not a data class"):
        get_class("secret")
    kind = get_kind("security.User")
    assert get_field_class(kind, kind.get_field("password")) is DataClass.CORE
    assert get_field_class(kind, kind.get_field("name")) is DataClass.INTERNAL
