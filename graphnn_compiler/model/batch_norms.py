"""The function `batchnorm(x)`: a layer of its own that norms another one, with a gain and a shift.

Input: a call. Output: the layer. Not for: the option `batchnorm` of a layer (`options`), statistics (the backend).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from graphnn_compiler.language import nodes as syntax
from graphnn_compiler.model.layers import named_layer
from graphnn_compiler.model.signatures import Signature, bind
from graphnn_compiler.model.tensors import Ref
from graphnn_compiler.model.types import InputModel, LayerModel

if TYPE_CHECKING:
    from graphnn_compiler.model.emission import Function
    from graphnn_compiler.model.expressions import Expressions

_SIGNATURE = Signature("batchnorm", ("layer",), required=1)


def batchnorm(expressions: Expressions, call: syntax.Call) -> LayerModel:
    """The batch norm of a layer: of each channel where there are channels, else of each unit."""
    given = bind(call, _SIGNATURE)["layer"].value
    path = expressions.call_path(call, "batchnorm")
    with expressions.declaring_at(path.child("layer"), given):
        inner = named_layer(expressions, given, path.child("layer"), "the argument of `batchnorm`")
    shape = inner.shape
    if isinstance(inner, InputModel):
        channels, channel_axis = inner.shape.channels, inner.shape.channel_axis
    else:
        channels, channel_axis = inner.channels, inner.channel_axis
    own = path.child("normed")
    layer = LayerModel(
        own.name,
        shape,
        value=Ref(inner.name),
        reference_spans={inner.name: given.span},
        channels=channels,
        channel_axis=channel_axis,
        batchnorm="per_channel" if channel_axis else "per_unit",
        parameters_of=own.parameters,
        span=call.span,
    )
    expressions.emission.add(layer)
    return layer


FUNCTIONS: Mapping[str, Function] = {"batchnorm": batchnorm}
"""The functions of norms that make layers."""
