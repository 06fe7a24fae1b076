"""Runs printed programs in the environment it is started in, and writes down what they compute.

python run_printed.py FOLDER.. : in every folder, MODULE.py and MODULE.npz as they were printed and `given.npz`, arrays
by the names of inputs and targets, and for programs without a loss `direction.LAYER`, what each output is multiplied
by. Writes `found.npz`: outputs, `loss`, metrics, and `slope.NAME` of every trained parameter and given input. It uses
NumPy and the module's own target only, and nothing is optimised or compiled: each formula is run as it was written.
"""

import importlib.util
import inspect
import sys
import warnings
from pathlib import Path

import numpy as np


def variables(library, given):
    """A variable for each array."""
    tensor = library.tensor
    kinds = {name: (str(array.dtype), (False,) * array.ndim) for name, array in given.items()}
    if library.__name__ == "theano":
        return {name: tensor.TensorType(*kind)(name) for name, kind in kinds.items()}
    return {name: tensor.tensor(name, dtype=kind[0], shape=(None,) * len(kind[1])) for name, kind in kinds.items()}


def arguments(function, found):
    """Those of the variables that a function takes, by its own names for them."""
    return {name: found[name] for name in inspect.signature(function).parameters if name in found}


def run(folder):
    (path,) = folder.glob("*.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    library = getattr(module, "theano", None) or module.pytensor
    if library.__name__ == "theano":
        from theano.compile.mode import Mode
    else:
        from pytensor.compile.mode import Mode
    with np.load(folder / "given.npz", allow_pickle=False) as arrays:
        given = {name: arrays[name] for name in arrays.files}
    directions = {name.partition(".")[2]: given.pop(name) for name in list(given) if name.startswith("direction.")}

    x = variables(library, given)
    p = module.parameters()
    layers = module.forward(p, **arguments(module.forward, x))
    outputs = {name: value for name, value in layers.items() if not name.endswith(".logits")}
    results = dict(outputs)
    if directions:
        cost = sum((layers[name] * direction).sum() for name, direction in directions.items())
    else:
        cost = module.loss(p, layers, **arguments(module.loss, x))
        results["loss"] = cost
    if hasattr(module, "metrics"):
        results.update(module.metrics(p, layers, **arguments(module.metrics, x)))
    wanted = {name: p[name] for name in module.SHAPES} if directions else {name: p[name] for name in module.TRAINABLE}
    wanted.update({name: x[name] for name in given if given[name].dtype.kind == "f"})
    slopes = library.grad(cost, list(wanted.values()), disconnected_inputs="ignore")
    results.update({f"slope.{name}": slope for name, slope in zip(wanted, slopes, strict=True)})
    function = library.function(list(x.values()), list(results.values()), mode=Mode("py", None), on_unused_input="ignore")
    with np.errstate(all="ignore"):
        values = function(*given.values())
    np.savez(folder / "found.npz", **dict(zip(results, values, strict=True)))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for argument in sys.argv[1:]:
        run(Path(argument))
