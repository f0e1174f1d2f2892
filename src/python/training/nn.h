// phlox.nn: modules and layers.
#pragma once

#include <Python.h>

namespace phlox::python {

void add_module_class(PyObject* module);
void add_layers(PyObject* module);
void add_activations_and_losses(PyObject* module);
void add_initialisers(PyObject* module);
void add_nn_utils(PyObject* module);

}  // namespace phlox::python
