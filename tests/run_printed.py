"""Runs printed programs in the environment it is started in, and writes down what they compute.

Standard input has a folder a line, with MODULE.py and MODULE.npz as they were printed, and `given.npz`: arrays by the
names of inputs and targets, and `direction.LAYER`, what each output is multiplied by to be summed to one number; where
there is none the loss of the program is that number. Writes `found.npz`: outputs, `loss`, metrics, and `slope.NAME` of
the number by every parameter and given input. An array `training` asks for the program in training, and then
`after.NAME` is what a step makes of each state. Answers each line with `ok` or what went wrong. It uses NumPy and the
module's own target only, and nothing is optimised or compiled: each formula is run as it was written.
"""

import importlib.util
import inspect
import sys
import traceback
import warnings
from pathlib import Path

import numpy as np


def variables(library, given):
    """A variable for each array, of which only the number of axes is known."""
    kinds = {name: (str(array.dtype), array.ndim) for name, array in given.items()}
    if library.__name__ == "theano":
        return {name: library.tensor.TensorType(dtype, (False,) * ndim)(name) for name, (dtype, ndim) in kinds.items()}
    return {
        name: library.tensor.tensor(name, dtype=dtype, shape=(None,) * ndim) for name, (dtype, ndim) in kinds.items()
    }


def taken(function, found):
    """Those of the variables that a function takes."""
    return {name: found[name] for name in inspect.signature(function).parameters if name in found}


def interpreted(library):
    """The mode that runs every operation as Python."""
    if library.__name__ == "theano":
        from theano.compile.mode import Mode
    else:
        from pytensor.compile.mode import Mode
    return Mode("py", None)


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, getattr(module, "theano", None) or module.pytensor


def run(folder):
    (path,) = folder.glob("*.py")
    module, library = load(path)
    with np.load(folder / "given.npz", allow_pickle=False) as arrays:
        given = {name: arrays[name] for name in arrays.files}
    # with an array `training`, the program takes a list for updates, and what becomes of each statistic is written too
    masks = [] if given.pop("training", None) is not None else None
    directions = {name.partition(".")[2]: given.pop(name) for name in list(given) if name.startswith("direction.")}

    x = variables(library, given)
    p = module.parameters()
    layers = module.forward(p, **taken(module.forward, x), **({} if masks is None else {"masks": masks}))
    results = {name: library.tensor.as_tensor_variable(layer) for name, layer in layers.items()}
    if directions:
        cost = sum((layers[name] * direction).sum() for name, direction in directions.items())
    else:
        cost = results["loss"] = module.loss(p, layers, **taken(module.loss, x))
    if hasattr(module, "metrics"):
        results.update(module.metrics(p, layers, **taken(module.metrics, x)))
    statistics = [(state, after) for state, after in masks or () if hasattr(after.type, "ndim")]
    results.update({f"after.{state.name}": after for state, after in statistics})
    wanted = {name: p[name] for name in module.SHAPES}
    wanted.update({name: x[name] for name in given if given[name].dtype.kind == "f"})
    slopes = library.grad(cost, list(wanted.values()), disconnected_inputs="ignore") if wanted else []
    results.update({f"slope.{name}": slopes[place] for place, name in enumerate(wanted)})
    function = library.function(
        list(x.values()), list(results.values()), mode=interpreted(library), on_unused_input="ignore"
    )
    with np.errstate(all="ignore"):
        values = function(*given.values())
    np.savez(folder / "found.npz", **{name: values[place] for place, name in enumerate(results)})


def main():
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        try:
            run(Path(line.rstrip("\n")))
            assert "graphnn_compiler" not in sys.modules, "a printed program imports its compiler"
            answer = "ok"
        except Exception:
            answer = repr(traceback.format_exc())
        print(answer, flush=True)


if __name__ == "__main__":
    main()
