"""Names, choices and their arguments."""

import pickle
from collections.abc import Iterator

import pytest

from plcnn.choice import Choice
from plcnn.errors import UserError
from plcnn.registry import Registry


class Tool(Choice):
    """A tool by its registered name."""


@pytest.fixture
def tools() -> Iterator[Registry[Tool]]:
    registry = Registry(Tool, given=("material",), needs=("material",))

    @registry.register
    def hammer(material: str, weight: int = 3) -> str:
        return f"{weight} of {material}"

    yield registry


def test_a_function_is_built_from_given_and_chosen_arguments(tools: Registry[Tool]) -> None:
    assert tools.choose("hammer", weight=5).build(material="steel", unasked=1) == "5 of steel"
    assert tools.build("hammer", material="wood") == "3 of wood"


def test_a_choice_is_plain_data_and_back(tools: Registry[Tool]) -> None:
    choice = tools.choose("hammer", weight=5)
    assert choice.as_dict() == {"class_path": "hammer", "init_args": {"weight": 5}}
    assert tools.choose(choice.as_dict()) == choice
    assert pickle.loads(pickle.dumps(choice)) == choice
    assert tools.choose("hammer") != choice


@pytest.mark.parametrize(
    ("name", "expected"), [("KerasCNN", "keras_cnn"), ("MLPMixer", "mlp_mixer"), ("ResNet18", "res_net18")]
)
def test_a_class_is_named_in_snake_case(tools: Registry[Tool], name: str, expected: str) -> None:
    tools.register(type(name, (), {"__init__": lambda self, material: None}))
    assert expected in tools


def test_a_taken_name_names_both_places(tools: Registry[Tool]) -> None:
    with pytest.raises(UserError, match=r"taken: .*test_registry.py:\d+ and .*test_registry.py:\d+") as error:

        @tools.register(name="hammer")
        def other(material: str) -> None: ...

    assert "@register(name='my_hammer')" in str(error.value)


def test_registering_the_same_builder_again_changes_nothing(tools: Registry[Tool]) -> None:
    builder = tools["hammer"].builder
    tools.register(builder)
    assert tools.names() == ["hammer"]


def test_an_unknown_name_suggests_near_ones(tools: Registry[Tool]) -> None:
    with pytest.raises(UserError, match=r"Unknown tool 'hamer'. Did you mean hammer\?"):
        tools.choose("hamer")
    with pytest.raises(UserError, match="Known: hammer"):
        tools.choose("zzz")


def test_an_unknown_argument_suggests_near_ones(tools: Registry[Tool]) -> None:
    with pytest.raises(UserError, match=r"no argument 'wieght'. Did you mean weight\?"):
        tools.choose("hammer", wieght=1)


def test_a_required_argument_must_be_given(tools: Registry[Tool]) -> None:
    @tools.register
    def saw(material: str, teeth: int) -> None: ...

    with pytest.raises(UserError, match="'saw' needs a value for teeth"):
        tools.choose("saw")


def test_signatures_that_hide_arguments_are_refused(tools: Registry[Tool]) -> None:
    with pytest.raises(UserError, match=r"takes \*\*options: int, which would swallow misspelt options"):

        @tools.register
        def file(material: str, **options: int) -> None: ...

    with pytest.raises(UserError, match="must have a parameter 'material'"):

        @tools.register
        def rasp(size: int) -> None: ...

    with pytest.raises(UserError, match="'two words' cannot name"):
        tools.register(lambda material: None, name="two words")

    assert tools.names() == ["hammer"]
