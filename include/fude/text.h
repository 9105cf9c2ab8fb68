// Text and tokens: tokenizers of the Hugging Face kind, training one, streaming text out of tokens, and chats as a
// model's template writes them.
#pragma once

#include "base/error.h"
#include "text/bpe_train.h"
#include "text/chat.h"
#include "text/text_stream.h"
#include "text/tokenizer.h"
#include "text/tokenizer_file.h"
