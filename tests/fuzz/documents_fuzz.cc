// layer: data
// Text and JSONL from a stranger, with both policies: what comes out is valid UTF-8 without NUL, or an Error.
#include <string>

#include "base/error.h"
#include "data/documents.h"
#include "text/unicode.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fude;
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  DocumentOptions options;
  options.on_bad_input = data[0] & 1 ? OnBadInput::skip : OnBadInput::fail;
  options.split_bytes = data[0] & 2 ? 16 + data[0] / 8 : 0;
  options.document_limit = data[0] & 4 ? 64 : 1 << 20;
  for (const DocumentKind kind : {DocumentKind::text, DocumentKind::jsonl}) {
    DocumentCounts counts;
    int64_t documents = 0, text_bytes = 0;
    try {
      const auto reader = read_documents(CompressedStream(bytes, "fuzz"), kind, options, counts);
      while (text_bytes < 1 << 22) {
        const auto document = reader->next();
        if (!document) break;
        ++documents;
        text_bytes += int64_t(document->text.size());
        if (document->text.empty() || !is_valid_utf8(document->text) || document->line < 1 ||
            document->text.find('\0') != std::string::npos)
          __builtin_trap();
      }
    } catch (const Error&) {}
    if (counts.documents != documents || counts.text_bytes != text_bytes) __builtin_trap();
  }
  return 0;
}
