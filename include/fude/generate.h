// Generation: a model with its tokenizer out of a folder or a GGUF file, answers that stream, the sampler's options,
// and the log-probability of given tokens. Needs no autograd: link fude::infer alone.
#pragma once

#include "infer/answer.h"
#include "infer/engine_thread.h"
#include "infer/model_files.h"
#include "infer/score.h"
#include "text/tokenizer.h"
