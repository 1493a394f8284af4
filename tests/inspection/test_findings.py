"""What is found in made-up pictures, finding by finding: what was planted, and nothing else."""

from typing import Any

import numpy as np
import pytest
from inspection.subjects import clean, flipped, subject

from plcnn.data.complaints import Complaint
from plcnn.inspection.facts import facts
from plcnn.inspection.finding import Finding
from plcnn.inspection.findings import look


@pytest.fixture
def given() -> dict[str, Any]:
    return clean()


def _found(given: dict[str, Any]) -> dict[str, tuple[str, int, list[list[int]]]]:
    findings = look(subject(given))
    assert all(finding.sentence.endswith(".") and finding.advice.endswith(".") for finding in findings)
    return {finding.kind: (finding.severity, finding.count, finding.groups) for finding in findings}


def _one(given: dict[str, Any]) -> Finding:
    (finding,) = look(subject(given))
    return finding


def test_nothing_is_found_where_nothing_is_wrong(given: dict[str, Any]) -> None:
    assert look(subject(given)) == []


def test_unreadable_pictures_come_first_and_are_no_copies_of_each_other(given: dict[str, Any]) -> None:
    survey = given["survey"]
    survey.faults = {48: "no picture", 7: "truncated"}  # of two parts and two classes
    survey.exact[[7, 48]], survey.near[[7, 48]], survey.sizes[[7, 48]] = 0, 0, 0
    finding = _one(given)
    assert (finding.kind, finding.severity, finding.groups) == ("unreadable", "error", [[7], [48]])
    assert finding.sentence == "2 pictures cannot be read: p7 (truncated), p48 (no picture)."


def test_copies(given: dict[str, Any]) -> None:
    exact = given["survey"].exact
    exact[[6, 44, 54]] = exact[2]  # training twice, validation, test
    exact[58] = exact[56]
    assert _found(given) == {
        "copies_across_train_and_val": ("warning", 1, [[2, 44]]),
        "copies_across_train_and_test": ("warning", 1, [[2, 54]]),
        "copies_across_val_and_test": ("warning", 1, [[44, 54]]),
        "copies_in_train": ("note", 1, [[2, 6]]),
        "copies_in_test": ("note", 1, [[56, 58]]),
    }


def test_pictures_that_look_alike_matter_across_parts(given: dict[str, Any]) -> None:
    near = given["survey"].near
    near[46] = flipped(near[2], 8, 12)
    near[4] = flipped(near[6], 2, 3)  # both are for training
    near[47] = flipped(near[45], 2, 3)  # both are for validation
    near[56] = flipped(near[8], 9, 0)  # too far
    assert _found(given) == {"alike_across_train_and_val": ("warning", 1, [[2, 46]])}


def test_a_copy_is_not_told_of_again_as_alike(given: dict[str, Any]) -> None:
    survey = given["survey"]
    survey.exact[44], survey.near[44] = survey.exact[2], survey.near[2]
    survey.near[4] = flipped(survey.near[2], 2, 0)  # for training as well, and like the copy
    assert list(_found(given)) == ["copies_across_train_and_val"]


def test_two_classes(given: dict[str, Any]) -> None:
    survey = given["survey"]
    survey.exact[3] = survey.exact[2]
    survey.near[9] = flipped(survey.near[6], 1, 1)
    assert _found(given) == {
        "copies_in_two_classes": ("warning", 1, [[2, 3]]),
        "alike_in_two_classes": ("note", 1, [[6, 9]]),
        "copies_in_train": ("note", 1, [[2, 3]]),
    }


def test_where_most_look_alike_it_is_their_nature(given: dict[str, Any]) -> None:
    given["survey"].near[:] = given["survey"].near[0]
    given["labels"][:] = 0
    given["classes"] = ["a"]
    found = look(subject(given))
    assert {finding.severity for finding in found} == {"note"} and len(found) == 3
    assert "their nature" in found[0].advice


def test_pictures_of_one_colour_are_not_alike(given: dict[str, Any]) -> None:
    given["survey"].near[[3, 44, 45]] = [1, 0]  # the second is nearly of one colour
    given["survey"].squares[[3, 45]] = 5_000  # of the values 50 and 50
    assert _found(given) == {"plain": ("note", 2, [[3], [45]])}


def test_without_hashes_only_pictures_of_one_colour_are_called_that(given: dict[str, Any]) -> None:
    given["survey"].near[:] = 0
    assert _found(given) == {}


def test_classes_without_pictures_and_with_few() -> None:
    given = clean(120, 4)
    labels, parts = given["labels"], given["parts"]
    labels[(labels == 1) & (parts == 0)] = 0
    labels[(labels == 2) & (parts == 1)] = 0
    few = np.flatnonzero((labels == 3) & (parts == 0))
    labels[few[4:]] = 0
    found = {finding.kind: (finding.severity, finding.classes) for finding in look(subject(given))}
    assert found == {
        "no_pictures_in_train": ("warning", [1]),
        "no_pictures_in_val": ("warning", [2]),
        "few_pictures": ("warning", [3]),
        "uneven_classes": ("note", [0, 3]),
    }


def test_complaints_are_errors_and_their_classes_are_not_missed_again() -> None:
    given = clean(120, 4)
    given["labels"][given["labels"] >= 2] = 0
    complaint = Complaint("empty_classes", 1, "set: no pictures in class 2/.", "Put some there.", ("class 2",))
    first, second = (one for one in look(subject({**given, "complaints": (complaint,)})) if one.severity != "note")
    assert (first.kind, first.severity, first.classes) == ("empty_classes", "error", [2])
    assert (first.sentence, first.advice) == ("set: no pictures in class 2/.", "Put some there.")
    assert (second.kind, second.classes) == ("no_pictures_in_train", [3])


def test_uneven_classes() -> None:
    given = clean(600)
    given["labels"][:400] = np.arange(400) < 36
    finding = _one(given)
    assert finding.sentence == "class 0 has 10 times as many training pictures as class 1: 364 and 36."
    given["labels"][36] = 1
    assert look(subject(given)) == [], "363 to 37 is less than ten times"


def test_sizes(given: dict[str, Any]) -> None:
    sizes = given["survey"].sizes
    sizes[3], sizes[5], sizes[7], sizes[9] = (16, 16), (15, 40), (32, 65), (320, 240)
    assert _found(given) == {
        "enlarged": ("note", 1, [[5]]),
        "unusual_size": ("note", 1, [[9]]),
        "distorted": ("note", 2, [[5], [7]]),
    }
    assert "distorted" not in _found({**given, "resize": "pad"})


def test_kinds(given: dict[str, Any]) -> None:
    survey = given["survey"]
    survey.modes[1:6] = ["I;16", "L", "CMYK", "RGBA", "P"]
    survey.transparent[[4, 5]] = True
    survey.moving[5] = True
    assert _found(given) == {
        "deep": ("note", 1, [[1]]),
        "cmyk": ("note", 1, [[3]]),
        "transparent": ("note", 2, [[4], [5]]),
        "moving": ("note", 1, [[5]]),
        "grey_in_colour": ("note", 2, [[1], [2]]),
    }
    survey.modes[:] = ["L"] * 60
    assert "grey_in_colour" not in _found(given), "where all are grey, none is odd"


def test_facts_count_what_can_be_read(given: dict[str, Any]) -> None:
    survey = given["survey"]
    survey.faults = {0: "no picture"}
    survey.sizes[0], survey.sizes[1], survey.sizes[2] = 0, (8, 16), (64, 100)
    known = facts(subject(given), None)
    assert known.counts.tolist() == [[19, 20], [5, 5], [5, 5]]
    assert known.sizes == [(8, 16), (32, 32), (64, 100)]
    assert known.number_of_pictures() == "59 pictures of 2 classes: 39 training, 10 validation, 10 test"
    assert known.sizes_in_words() == (
        "16 × 8 to 100 × 64 pixels (middle 32 × 32), brought to 32 × 32 pixels, 3 channels (stretch)"
    )
    assert known.kinds_in_words() == "PNG 59; RGB 59"


def test_no_picture_can_be_read(given: dict[str, Any]) -> None:
    given["survey"].faults = dict.fromkeys(range(60), "no picture")
    found = look(subject(given))
    assert found[0].sentence.endswith("p2 (no picture) and 57 more.")
    assert [finding.kind for finding in found[1:]] == ["no_pictures_in_train"], "nor in the other parts, of course"
    assert facts(subject(given), None).sizes_in_words() == "32 × 32 pixels, 3 channels"
