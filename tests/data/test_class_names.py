"""Class names: sorted as people sort them, and refused where nothing could hold them."""

import random

import pytest

from plcnn.data.class_names import class_places, complaints_about, composed, in_order, listed
from plcnn.data.complaints import Complaint, refuse
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
    assert complaints_about(["cat", "Straße 1", "می‌خواهم", "👩‍🚀"], "here") == []
    for bad in ("", " ", "a\nb", "\x1b[1m", "\udcff"):
        (found,) = complaints_about(["cat", bad], "here")
        assert "cannot be a class's" in found.sentence and (found.classes, found.count) == ((bad,), 1)
        assert found.sentence.isprintable()
    (alone,) = complaints_about(["cat"], "here")
    assert alone.sentence == "here has one class alone, cat; a classifier tells two or more apart."
    assert complaints_about([], "here")[0].sentence.startswith("here has no classes")
    assert [one.kind for one in complaints_about(["\n"], "here")] == ["names_of_classes", "too_few_classes"]


def test_labels_are_names_or_places() -> None:
    assert class_places(["b", "a", "b"], ["a"], None, "t", "n") == (("a", "b"), {"a": 0, "b": 1}, [])
    assert class_places(["10", "9"], [], None, "t", "n") == (("9", "10"), {"9": 0, "10": 1}, [])
    assert class_places(["b"], ["a"], ["b", "a"], "t", "n") == (("b", "a"), {"b": 0, "a": 1}, [])
    assert class_places(["1"], ["0"], ["x", "y", "z"], "t", "n").places == {"0": 0, "1": 1, "2": 2}
    # names that look like places are names
    assert class_places(["1"], ["0"], ["1", "0"], "t", "n").places == {"1": 0, "0": 1}
    with pytest.raises(UserError, match="n has a class twice"):
        class_places(["x"], [], ["x", "x"], "t", "n")


def test_labels_that_are_no_class_stand_after_the_classes_and_are_complained_of() -> None:
    names, places, (complaint,) = class_places(["a", "b"], ["d", "c"], None, "t", "n")
    assert names == ("a", "b", "c", "d") and places == {"a": 0, "b": 1, "c": 2, "d": 3}
    assert complaint.sentence == "t: these labels are on no training picture: c, d." and complaint.classes == ("c", "d")
    names, places, (complaint,) = class_places(["0", "2"], [], ["x", "y"], "t", "n")
    assert names == ("x", "y", "2") and places == {"0": 0, "1": 1, "2": 2}
    assert complaint.sentence == "t: these labels are not in n: 2."


def test_all_complaints_are_one_error() -> None:
    refuse([])
    with pytest.raises(UserError) as refused:
        refuse([Complaint("a", 1, "One.", "Mend it."), Complaint("b", 2, "Two.", "Mend that.")])
    assert str(refused.value) == "One. Mend it.\nTwo. Mend that." and refused.value.exit_code == 1


def test_parts_and_lists() -> None:
    assert [role_of(name) for name in ("Train", "VALID", "dev", "testing", "cat", "trains")] == [
        *("train", "val", "val", "test"),
        *(None, None),
    ]
    assert listed(range(10)) == "0, 1, 2, 3, 4, 5, 6, 7 and 2 more" and listed(["a\x1b"]) == r"a\x1b"
    assert composed("e\u0301") == "é"
