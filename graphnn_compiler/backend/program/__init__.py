"""A plan as the text of a stand-alone program for PyTensor or for classic Theano, with its arrays in one npz file."""
