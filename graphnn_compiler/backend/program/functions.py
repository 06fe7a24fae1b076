"""The functions that printed programs define for themselves, as text with the target's operations left open.

Input: nothing. Output: a template a function. `{name}` stands for an operation of the table of targets, or for a number
of `NUMBERS`; a function whose target lacks one of its operations cannot be printed. Not for: deciding which are needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from graphnn_compiler.backend.activations import LAYER_NORM_EPSILON, SELU_ALPHA, SELU_SCALE
from graphnn_compiler.backend.batch_norm import SHARE
from graphnn_compiler.backend.kernels.activations import LEAKY_SLOPE
from graphnn_compiler.backend.program.targets import TargetName

NUMBERS: Mapping[str, float] = MappingProxyType(
    {"leaky": LEAKY_SLOPE, "alpha": SELU_ALPHA, "scale": SELU_SCALE, "epsilon": LAYER_NORM_EPSILON, "root": 0.5**0.5}
    | {"share": SHARE, "kept": 1 - SHARE}  # the epsilon of batch norm is that of layer norm
)


@dataclass(frozen=True)
class Function:
    """A function's text, and the functions that it calls."""

    text: str
    calls: tuple[str, ...] = ()


FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "relu": Function('''
def relu(z):
    return {switch}(z <= 0, 0, z)
'''),
        "leaky_relu": Function('''
def leaky_relu(z):
    return {switch}(z <= 0, {leaky} * z, z)
'''),
        "elu": Function('''
def elu(z):
    """exp(z) - 1 below 0, z above; the minimum keeps the other branch finite."""
    return {switch}(z < 0, {expm1}({minimum}(z, 0)), z)
'''),
        "selu": Function('''
def selu(z):
    """Klambauer et al. 2017, "Self-normalizing neural networks", equation 14."""
    below = {alpha} * {expm1}({minimum}(z, 0))
    return {scale} * {switch}(z < 0, below, z)
'''),
        "gelu": Function('''
def gelu(z):
    return 0.5 * z * (1 + {erf}(z * {root}))
'''),
        "silu": Function('''
def silu(z):
    return z * {sigmoid}(z)
'''),
        "softsign": Function('''
def softsign(z):
    return z / (1 + abs(z))
'''),
        "softmax": Function('''
def softmax(z, axis=-1):
    """Without its maximum z has the same softmax, and exp cannot overflow."""
    powers = {exp}(z - z.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)
'''),
        "layer_norm": Function('''
def layer_norm(x):
    """Ba, Kiros & Hinton 2016, over channels, without gain and bias."""
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = (centred**2).mean(axis=-1, keepdims=True)
    return centred / {sqrt}(variance + {epsilon})
'''),
        "batch_norm": Function('''
def batch_norm(x, gain, shift, mean, variance, axis, masks):
    """Ioffe & Szegedy 2015; with a list for masks, of the batch itself.

    The running mean and variance follow those of the batch.
    """
    if masks is not None:
        now = x.mean(axis=axis)
        spread = ((x - now) ** 2).mean(axis=axis)
        size = {cast}(x.size // now.size, x.dtype)
        for old, new in [(mean, now), (variance, spread * size / (size - 1))]:
            masks.append((old, {kept} * old + {share} * new))
        mean, variance = now, spread
    return (x - mean) * (gain / {sqrt}(variance + {epsilon})) + shift
'''),
        "row_normalize": Function('''
def row_normalize(x):
    """The channels of each unit divided by their sum; a zero sum gives 0."""
    total = x.sum(axis=-1, keepdims=True)
    empty = {eq}(total, 0)
    return {switch}(empty, 0, x / {switch}(empty, 1, total))
'''),
        "edge_sums": Function('''
def edge_sums(edges, x):
    """A (T, S) matrix times every sample and channel of x: (B, S, C) -> (B, T, C)."""
    n_samples, n_sources, n_channels = x.shape[0], x.shape[1], x.shape[2]
    columns = x.dimshuffle(1, 0, 2).reshape((n_sources, n_samples * n_channels))
    sums = {structured_dot}(edges, columns)
    return sums.reshape((sums.shape[0], n_samples, n_channels)).dimshuffle(1, 0, 2)
'''),
        "log_softmax": Function('''
def log_softmax(z):
    z = z - z.max(axis=-1, keepdims=True)
    return z - {log}({exp}(z).sum(axis=-1, keepdims=True))
'''),
        "cross_entropy": Function(
            '''
def cross_entropy(logits, truth):
    """The mean of -log softmax at the true classes, of (rows, classes) and (rows,)."""
    return -log_softmax(logits)[{arange}(truth.shape[0]), truth].mean()
''',
            ("log_softmax",),
        ),
        "broadcast_cross_entropy": Function(
            '''
def broadcast_cross_entropy(logits, truth):
    """The mean of -log softmax at the true classes, of (.., classes) and (..)."""
    at_class = {eq}({arange}(logits.shape[-1]), {shape_padright}(truth))
    return -{switch}(at_class, log_softmax(logits), 0).sum(axis=-1).mean()
''',
            ("log_softmax",),
        ),
        "binary_cross_entropy": Function('''
def binary_cross_entropy(logits, truth):
    return ({softplus}(logits) - logits * truth).mean()
'''),
        "huber": Function('''
def huber(distance, delta):
    """Huber 1964: half the square up to delta, the line that touches it beyond."""
    inside = {minimum}(abs(distance), delta)
    return (inside * (abs(distance) - 0.5 * inside)).mean()
'''),
        "poisson": Function('''
def poisson(log_rates, counts):
    """-log likelihood of counts, without log(counts!), which no weight changes."""
    return ({exp}(log_rates) - log_rates * counts).mean()
'''),
    }
)  # fmt: skip

MASKS: Mapping[TargetName, Function] = MappingProxyType(
    {
        "pytensor": Function('''
def dropout(x, rate, masks):
    """Values are kept with probability 1 - rate and divided by it; nothing without masks."""
    if masks is None:
        return x
    state = {shared}(np.random.default_rng([SEED, len(masks)]))
    after, kept = {bernoulli}(
        1 - rate,
        size=x.shape,
        rng=state,
        return_next_rng=True,
    )
    masks.append((state, after))
    return {switch}(kept, x / np.asarray(1 - rate, x.dtype), 0)
'''),
        "theano": Function('''
def dropout(x, rate, masks):
    """Values are kept with probability 1 - rate and divided by it; nothing without masks."""
    if masks is None:
        return x
    random = {RandomStreams}(SEED + len(masks))
    kept = random.binomial(x.shape, p=1 - rate)
    masks.extend(random.updates())
    return {switch}(kept, x / np.asarray(1 - rate, x.dtype), 0)
'''),
    }
)
"""Dropout is the one function that the targets do not have in common: they keep random states in different ways."""
