// What tells one piece of work (shards of a corpus, a run of training) from another, so that it is only gone on with as
// what it was begun as.
#pragma once

#include <string>

#include "base/json_fwd.h"

namespace fude {

// Tells apart files that were one after the other under the same name: a hash of the size and of 64 KiB pieces, as many
// as cover the file, or of one above 64 MiB 1,024 that are spread over it. Empty for what cannot be read, or not twice
// (a pipe).
std::string fingerprint_of_file(const std::string& path);

// For people, all that differs: "'lora.rank' was 4, now it is 8; 'seed' was 0, now it is 1". Empty if nothing does.
std::string differences(const Json& earlier, const Json& now);

}  // namespace fude
