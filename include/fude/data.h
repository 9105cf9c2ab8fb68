// Data: documents out of files, token shards, mixtures of them, and the loader that packs them into batches.
#pragma once

#include "data/documents.h"
#include "data/loader.h"
#include "data/shard.h"
#include "data/shard_writer.h"
