"""What there is to know of one architecture: where it comes from, what it costs, its arguments and its layers."""

import inspect
import json
import sys
from pathlib import Path
from typing import Any

from docstring_parser import parse

from plcnn import plugins
from plcnn.architectures import Architecture, architectures
from plcnn.archs.catalogue import Input, family, source
from plcnn.archs.costs import multiply_adds
from plcnn.layers import as_text as layers_as_text
from plcnn.layers import counts, layer_table
from plcnn.run import short


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
    module = sys.modules[choice.builder.__module__]
    documented = parse(inspect.getdoc(choice.builder) or "")
    return {
        "name": choice.name,
        "summary": documented.short_description or "",
        "description": documented.long_description or "",
        "family": family(choice.builder),
        "about_the_family": inspect.cleandoc(module.__doc__ or ""),
        "source": source(choice.builder),
        "origin": architectures.origins[choice.name],
        "input": {**given._asdict()},
        "parameters": trainable,
        "statistics": statistics,
        "multiply_adds": multiply_adds(network, given.image_shape),
        "arguments": _arguments(choice, {p.arg_name: p.description or "" for p in documented.params}),
        "example": example(choice),
        "layers": layer_table(network, given.image_shape),
    }


def _arguments(choice: Architecture, texts: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "name": parameter.name,
            "type": _type_name(parameter.annotation),
            "default": None if parameter.default is parameter.empty else parameter.default,
            "required": parameter.default is parameter.empty,
            "value": choice.arguments[parameter.name],
            "help": " ".join(texts.get(parameter.name, "").split()),
        }
        for parameter in choice.signature.parameters.values()
    ]


def example(choice: Architecture) -> str:
    """A command that trains the architecture, with an argument set where it has some."""
    flags = f"--model.arch {choice.name}{plugins.option(short(Path(path)) for path in _own_plugin(choice))}"
    chosen = {k: v for k, v in choice.arguments.items() if v != choice.signature.parameters[k].default}
    shown = chosen or dict(list(choice.arguments.items())[:1])
    values = "".join(f" --model.arch.{key} {_typed(value)}" for key, value in shown.items())
    return f"plcnn fit --config configs/base.yaml {flags}{values}"


def as_text(about: dict[str, Any]) -> str:
    """The description as a page for the terminal."""
    given = Input(**about["input"])
    lines = [
        f"{about['name']}: {about['summary']}",
        *([about["description"]] if about["description"] else []),
        "",
        f"family       {about['family']}",
        f"source       {about['source']}, {short(Path(about['origin']))}",
        f"input        {given}",
        f"parameters   {about['parameters']:,} trainable, {about['statistics']:,} statistics",
        f"mult-adds    {about['multiply_adds']:,} a picture",
        f"example      {about['example']}",
        "",
        "arguments" if about["arguments"] else "It takes no arguments.",
    ]
    for argument in about["arguments"]:
        default = "required" if argument["required"] else f"default {_typed(argument['default'])}"
        lines.append(f"  --model.arch.{argument['name']}  {argument['type']}, {default}")
        lines.append(f"      {argument['help']}")
    if about["about_the_family"]:
        lines += ["", "about the family", *(f"  {line}".rstrip() for line in about["about_the_family"].splitlines())]
    return "\n".join([*lines, "", layers_as_text(about["layers"])])


def _own_plugin(choice: Architecture) -> list[str]:
    return [path for path in plugins.loaded() if path == source(choice.builder)]


def _type_name(annotation: Any) -> str:
    plain = isinstance(annotation, type) and not hasattr(annotation, "__args__")
    return (annotation.__name__ if plain else str(annotation)).replace("typing.", "")


def _typed(value: Any) -> str:
    """A value as it is typed on the command line."""
    if isinstance(value, str):
        return value
    text = json.dumps(value)
    return text if not isinstance(value, (list, tuple, dict)) else f"'{text}'"
