"""The split of training and validation pictures."""

import json
import unicodedata
from pathlib import Path

import pytest
import torch
from torch import Tensor

from plcnn.data.parts.split import Split, SplitChoice
from plcnn.data.parts.split_file import pictures_told, read_split, write_split
from plcnn.errors import UserError

LABELS = torch.arange(1000) % 7
KINDS = ("first", "random", "stratified")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.333])
def test_every_picture_is_in_one_part(kind: SplitChoice, fraction: float) -> None:
    train, val = Split(kind, fraction).indices(LABELS)
    assert len(val) == round(1000 * fraction)
    assert torch.cat([train, val]).sort().values.tolist() == list(range(1000))


def test_first_holds_out_the_first_tenth() -> None:
    train, val = Split("first", 0.1).indices(torch.zeros(50_000, dtype=torch.long))
    assert val.tolist() == list(range(5_000)) and train.tolist() == list(range(5_000, 50_000))


def test_stratified_holds_out_the_same_share_of_each_class() -> None:
    labels = torch.tensor([0] * 700 + [1] * 200 + [2] * 100)
    _, val = Split("stratified", 0.1, seed=3).indices(labels)
    assert torch.bincount(labels[val]).tolist() == [70, 20, 10]


@pytest.mark.parametrize("kind", ["random", "stratified"])
def test_the_split_depends_on_its_seed_alone(kind: SplitChoice) -> None:
    first = Split(kind, 0.2, seed=5).indices(LABELS)[1]
    torch.manual_seed(99)
    torch.rand(3)
    assert torch.equal(Split(kind, 0.2, seed=5).indices(LABELS)[1], first)
    assert not torch.equal(Split(kind, 0.2, seed=6).indices(LABELS)[1], first)


@pytest.mark.parametrize("fraction", [1.0, -0.1, 0.9999])
def test_a_fraction_that_leaves_nothing_to_train_on_is_refused(fraction: float) -> None:
    with pytest.raises(UserError, match="val_fraction"):
        Split("first", fraction).indices(LABELS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_count_takes_the_place_of_the_fraction(kind: SplitChoice) -> None:
    assert len(Split(kind, 0.5, count=123).indices(LABELS)[1]) == 123
    assert len(Split(kind, 0.5, count=0).indices(LABELS)[1]) == 0
    with pytest.raises(UserError, match="val_count: got 1000; allowed: below the 1,000 pictures there are"):
        Split(kind, count=1000).indices(LABELS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("grouped", [False, True])
def test_each_picture_is_held_out_by_one_fold(kind: SplitChoice, grouped: bool) -> None:
    groups = [f"g{row // 4}" for row in range(len(LABELS))] if grouped else None
    held = [Split(kind, folds=6, fold=fold, seed=2).indices(LABELS, groups)[1] for fold in range(6)]
    assert torch.cat(held).sort().values.tolist() == list(range(1000))
    assert {len(part) for part in held} <= {164, 166, 167, 168}  # a thousand by six; groups have four each


def test_stratified_folds_hold_each_class_in_proportion() -> None:
    labels = torch.tensor([0] * 600 + [1] * 300 + [2] * 100)
    for fold in range(5):
        _, val = Split("stratified", folds=5, fold=fold).indices(labels)
        assert torch.bincount(labels[val]).tolist() == [120, 60, 20]


def parted_groups(train: Tensor, val: Tensor, groups: list[str]) -> bool:
    return bool({groups[row] for row in train.tolist()} & {groups[row] for row in val.tolist()})


@pytest.mark.parametrize("kind", KINDS)
def test_groups_stay_whole(kind: SplitChoice) -> None:
    sizes = torch.randint(1, 30, (70,), generator=torch.Generator().manual_seed(0)).tolist()
    groups = [str(number) for number, size in enumerate(sizes) for _ in range(size)]
    labels = torch.tensor([int(group) % 3 for group in groups])
    train, val = Split(kind, 0.2).indices(labels, groups)
    assert not parted_groups(train, val, groups)
    assert abs(len(val) - 0.2 * len(labels)) < 30
    if kind == "stratified":
        expected = torch.bincount(labels).double() * 0.2
        assert (torch.bincount(labels[val]) - expected).abs().max() < 30


def test_too_few_groups_are_refused() -> None:
    with pytest.raises(UserError, match="2 groups cannot be parted in 5"):
        Split(folds=5).indices(LABELS, [str(row % 2) for row in range(1000)])
    with pytest.raises(UserError, match="every picture would be a group of its own"):
        Split().indices(LABELS, [str(row) for row in range(1000)])


@pytest.mark.parametrize("kind", KINDS)
def test_large_groups_are_trained_on(kind: SplitChoice) -> None:
    groups = [str(min(row // 90, 3)) for row in range(275)]  # three of 90, one of 5
    assert len(Split(kind, 0.1).indices(LABELS[:275], groups)[1]) == 5
    assert len(Split(kind, 0.1).indices(LABELS[:270], groups[:270])[1]) == 90  # one at least is held out


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"folds": 1}, "--data.folds: got 1; allowed: at least 2 parts, or 0 for none"),
        ({"folds": 3, "fold": 3}, "--data.fold: got 3; allowed: from 0 to 2"),
        ({"fold": 2}, "--data.fold 2 is one of how many"),
        ({"count": -1}, "--data.val_count: got -1; allowed: at least 0 pictures"),
    ],
)
def test_numbers_out_of_range_are_refused(settings: dict[str, int], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Split(**settings)  # type: ignore[arg-type]


NAMES = ["a/1.png", "a/2.png", "b/1.png", "b/2.png", "ü/1.png"]
FEW = torch.tensor([0, 0, 1, 1, 2])


@pytest.mark.parametrize("names", [NAMES, None])
def test_a_written_split_is_read_again(names: list[str] | None) -> None:
    rows = {"train": torch.tensor([0, 2]), "val": torch.tensor([4]), "test": torch.tensor([1, 3])}
    write_split(Path(), "folder", rows, pictures_told(FEW, names), names)
    for path in (".", "split.json"):
        read = read_split(path, FEW, names)
        assert {name: value.tolist() for name, value in read.items()} == {k: v.tolist() for k, v in rows.items()}


def test_a_split_by_names_holds_when_pictures_are_added() -> None:
    rows = {"train": torch.tensor([0, 2]), "val": torch.tensor([4])}
    write_split(Path(), "folder", rows, pictures_told(FEW, NAMES), NAMES)
    read = read_split(".", torch.tensor([0, 0, 0, 1, 1, 2]), ["a/0.png", *NAMES])
    assert {name: value.tolist() for name, value in read.items()} == {"train": [1, 3], "val": [5]}
    with pytest.raises(UserError, match="val: there is no picture ü/1.png"):
        read_split(".", FEW[:4], NAMES[:4])


def test_names_written_on_a_mac_are_the_same_names() -> None:
    taken_apart = [unicodedata.normalize("NFD", name) for name in NAMES]
    Path("split.json").write_text(json.dumps({"train": taken_apart}))
    assert taken_apart != NAMES and read_split(".", FEW, NAMES)["train"].tolist() == list(range(5))


def test_a_split_by_numbers_is_for_the_same_pictures() -> None:
    rows = {"train": torch.tensor([0, 2]), "val": torch.tensor([4])}
    write_split(Path(), "cifar10", rows, pictures_told(FEW, None), None)
    with pytest.raises(UserError, match='made for other pictures: its "labels_sha256" is'):
        read_split(".", FEW.flip(0), None)
    with pytest.raises(UserError, match='made for other pictures: its "pictures" is 5, the source\'s is 4'):
        read_split(".", FEW[:4], None)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"train": ["a/1.png", "b/1.pn"]}, "train: there is no picture b/1.pn. Did you mean b/1.png"),
        ({"train": [0, 1], "val": [1]}, r"picture 1 \(from 0\) is in train and in val"),
        ({"train": [0, 5]}, "expected numbers from 0 to 4 or names, got 5"),
        ({"train": [True]}, "expected numbers from 0 to 4 or names, got True"),
        ({"train": []}, "train holds no pictures"),
        ({"val": [1]}, "expected {"),
        ([1], "expected {"),
    ],
)
def test_a_split_by_hand_that_is_wrong_is_refused(content: object, words: str) -> None:
    Path("mine.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=words):
        read_split("mine.json", FEW, NAMES)


def test_a_split_by_hand_may_name_pictures_and_leave_some_out() -> None:
    Path("mine.json").write_text(json.dumps({"train": ["ü/1.png", "a/2.png"], "val": ["b/1.png"]}))
    assert {k: v.tolist() for k, v in read_split("mine.json", FEW, NAMES).items()} == {"train": [1, 4], "val": [2]}
