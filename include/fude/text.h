// Text and tokens: tokenizers of the Hugging Face kind, training one, streaming text out of tokens, the turns
// of a chat.
#pragma once

#include "base/error.h"
#include "text/bpe_train.h"
#include "text/chat_format.h"
#include "text/text_stream.h"
#include "text/tokenizer.h"
#include "text/tokenizer_file.h"
