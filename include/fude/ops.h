// What operations are made of: tensors and parameters on a device, the pass that an op is handed, the tape it
// records on and the gradients that backward reads and writes. examples/own_op.cc adds one.
#pragma once

#include "autograd/closure_tape.h"
#include "autograd/gradient_store.h"
#include "backend/device.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "ops/pass.h"
