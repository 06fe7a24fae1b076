"""Plan to computation: PyTensor graph, CSR sparse dot, dense NumPy oracle."""
