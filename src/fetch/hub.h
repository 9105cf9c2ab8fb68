// Hugging Face's hub: which files a model's repository has, and where they are.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fetch/download.h"

namespace fude {

// "org/name", or "org/name:file".
struct HubName {
  std::string repository, file;
};

// Error unless it is one, of letters that cannot lead out of a folder.
HubName parse_hub_name(std::string_view text);
bool is_hub_name(std::string_view text);

// The hub's address: HF_ENDPOINT in the environment, or https://huggingface.co.
std::string hub_endpoint();
// A file there; with HF_TOKEN, from the environment, also one that is not public.
RemoteFile hub_file(const std::string& endpoint, const std::string& repository, const std::string& file);

// What a model folder is read from: the files that a repository without a name of a file stands for.
bool is_of_a_folder(std::string_view name);

struct HubFile {
  std::string name;
  RemoteFile remote;
};

// From the hub's list of a repository's files: `file` alone, or what a model folder needs, or the one GGUF file there
// is. Error that names what there is if it is none of these. `where` names the list.
std::vector<HubFile> choose_hub_files(std::string_view list, const HubName& name, const std::string& endpoint,
                                      std::string_view where);
// Asks the hub for the list.
std::vector<HubFile> find_in_hub(const HubName& name);

}  // namespace fude
