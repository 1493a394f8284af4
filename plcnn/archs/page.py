"""What there is to know of one architecture: where it comes from, what it costs, its arguments and its layers."""

from typing import Any

from plcnn import named
from plcnn.architectures import Architecture
from plcnn.archs.catalogue import Input, family
from plcnn.archs.costs import multiply_adds
from plcnn.layers import as_text as layers_as_text
from plcnn.layers import counts, layer_table


def describe(choice: Architecture, given: Input) -> dict[str, Any]:
    """Describe an architecture with its arguments.

    Args:
        choice: the architecture.
        given: what it is built for.

    Returns:
        Plain data, with one dict an argument and one a layer.

    Raises:
        UserError: if it cannot be built.
    """
    network = choice.build(**given._asdict())
    trainable, statistics = counts(network)
    return named.about(choice) | {
        "family": family(choice.builder),
        "input": {**given._asdict()},
        "parameters": trainable,
        "statistics": statistics,
        "multiply_adds": multiply_adds(network, given.image_shape),
        "example": example(choice),
        "layers": layer_table(network, given.image_shape),
    }


def example(choice: Architecture) -> str:
    """A command that trains the architecture, with an argument set where it has some."""
    return f"plcnn fit --config configs/base.yaml {named.typed_choice(choice, 'model.arch')}"


def as_text(about: dict[str, Any]) -> str:
    """The description as a page for the terminal."""
    given = Input(**about["input"])
    lines = [
        f"{about['name']}: {about['summary']}",
        *([about["description"]] if about["description"] else []),
        "",
        f"family       {about['family']}",
        f"source       {named.shown_origin(about)}",
        f"input        {given}",
        f"parameters   {about['parameters']:,} trainable, {about['statistics']:,} statistics",
        f"mult-adds    {about['multiply_adds']:,} a picture",
        f"example      {about['example']}",
        "",
        *named.argument_lines(about["arguments"], "model.arch"),
    ]
    if about["about_the_family"]:
        lines += ["", "about the family", *named.indented(about["about_the_family"])]
    return "\n".join([*lines, "", layers_as_text(about["layers"])])
