"""Class names: sorted as people sort them, and refused where nothing could hold them."""

import random

import pytest

from plcnn.data.class_names import check_classes, class_places, composed, in_order, listed
from plcnn.data.own.roles import role_of
from plcnn.errors import UserError


@pytest.mark.parametrize(
    "names",
    [
        ["class1", "class2", "class10", "class11"],
        ["-3", "0", "2", "10", "100"],
        ["001", "01", "1", "2"],
        ["10", "9a"][::-1],
        ["a", "B", "c", "É"],
        ["A", "a", "b"],
        ["", " ", "1", "1a", "1b2", "1b10", "a", "a1", "a1b"][2:],
        ["x" + "9" * 5000, "y"],
        ["cat", "猫"],
    ],
)
def test_names_are_sorted_as_people_do(names: list[str]) -> None:
    for seed in range(5):
        assert in_order(random.Random(seed).sample(names, len(names))) == names


def test_names_that_cannot_be_classes() -> None:
    check_classes(["cat", "Straße 1", "می‌خواهم", "👩‍🚀"], "here")
    for bad in ("", " ", "a\nb", "\x1b[1m", "\udcff"):
        with pytest.raises(UserError, match="cannot be a class's") as caught:
            check_classes(["cat", bad], "here")
        assert "\x1b" not in str(caught.value) and len(str(caught.value).splitlines()) == 1
    with pytest.raises(UserError, match="here has one class alone, cat; a classifier tells two"):
        check_classes(["cat"], "here")
    with pytest.raises(UserError, match="here has no classes"):
        check_classes([], "here")


def test_labels_are_names_or_places() -> None:
    assert class_places(["b", "a", "b"], ["a"], None, "t", "n") == (("a", "b"), {"a": 0, "b": 1})
    assert class_places(["10", "9"], [], None, "t", "n") == (("9", "10"), {"9": 0, "10": 1})
    assert class_places(["b"], ["a"], ["b", "a"], "t", "n") == (("b", "a"), {"b": 0, "a": 1})
    assert class_places(["1"], ["0"], ["x", "y", "z"], "t", "n")[1] == {"0": 0, "1": 1, "2": 2}
    # names that look like places are names
    assert class_places(["1"], ["0"], ["1", "0"], "t", "n")[1] == {"1": 0, "0": 1}
    with pytest.raises(UserError, match="t: these labels are on no training picture: c, d"):
        class_places(["a", "b"], ["d", "c"], None, "t", "n")
    with pytest.raises(UserError, match="t: these labels are not in n: 2"):
        class_places(["0", "2"], [], ["x", "y"], "t", "n")
    with pytest.raises(UserError, match="n has a class twice"):
        class_places(["x"], [], ["x", "x"], "t", "n")


def test_parts_and_lists() -> None:
    assert [role_of(name) for name in ("Train", "VALID", "dev", "testing", "cat", "trains")] == [
        *("train", "val", "val", "test"),
        *(None, None),
    ]
    assert listed(range(10)) == "0, 1, 2, 3, 4, 5, 6, 7 and 2 more" and listed(["a\x1b"]) == r"a\x1b"
    assert composed("e\u0301") == "é"
