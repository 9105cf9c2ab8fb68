// Models: the Transformer, and Hugging Face folders read and written.
#pragma once

#include "base/error.h"
#include "model/folder.h"
#include "model/load.h"
#include "model/transformer.h"
