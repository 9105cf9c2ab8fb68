// Documents out of files and folders: .txt, .md and .jsonl, each also .gz, .zst or .xz, read as streams.
//
// .jsonl: one object per line; the text is in "text" (or the field of the options), the language in "lang" if it is
// there. .txt and .md: one file is one document, but a file above `split_bytes` becomes several, cut after a blank
// line where the second half of the piece has one, else after a line, else between two characters; together the pieces
// are the file. A UTF-8 byte order mark is dropped. Folders are read recursively in the byte order of the paths. Bad
// input is an error that names file and line, or is skipped and counted by reason: never a silent loss.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/compressed_stream.h"
#include "data/document_source.h"

namespace fude {

enum class OnBadInput { fail, skip };

struct DocumentOptions {
  OnBadInput on_bad_input = OnBadInput::fail;
  std::string text_field = "text";  // empty: the text is the line, a JSON object
  std::string language_field = "lang";
  uint64_t split_bytes = uint64_t(1) << 20;      // pieces of .txt and .md; 0: never split
  uint64_t document_limit = uint64_t(64) << 20;  // a JSONL line, or an unsplit text file
};

struct DocumentCounts {
  int64_t files = 0;                       // opened
  int64_t documents = 0;                   // yielded
  int64_t text_bytes = 0;                  // of the documents
  int64_t empty_files = 0;                 // without a byte of text
  int64_t empty_documents = 0;             // JSONL lines with the text ""
  int64_t blank_lines = 0;                 // JSONL lines with nothing on them
  int64_t other_files = 0;                 // files in folders whose names end in nothing known
  std::map<std::string, int64_t> skipped;  // bad input by reason: documents, or files that could not be read on

  Json to_json() const;
  static DocumentCounts from_json(const Json& json, std::string_view where);
};

enum class DocumentKind { text, jsonl, unknown };
// By the name: "a.md.xz" is text.
DocumentKind document_kind(std::string_view name);

// The documents of one stream.
class DocumentReader {
 public:
  virtual ~DocumentReader() = default;
  virtual std::optional<Document> next() = 0;
  virtual uint64_t consumed() const = 0;
};
// `options` and `counts` outlive the reader.
std::unique_ptr<DocumentReader> read_documents(CompressedStream stream, DocumentKind kind,
                                               const DocumentOptions& options, DocumentCounts& counts);

// The documents of files and folders, in a defined order. Error if there is none at all.
class DocumentStream : public DocumentSource {
 public:
  explicit DocumentStream(const std::vector<std::string>& inputs, DocumentOptions options = {});

  std::optional<Document> next() override;
  Json position() const override;
  void seek(const Json& position) override;
  std::string identity() const override;
  Json report() const override;
  uint64_t bytes_done() const override;
  uint64_t bytes_total() const override { return bytes_before_.back(); }

  const DocumentCounts& counts() const { return counts_; }

 private:
  bool open_file();

  DocumentOptions options_;
  std::vector<std::string> files_;
  std::vector<uint64_t> bytes_before_;  // one more than files: sizes summed up
  DocumentCounts counts_;
  size_t file_ = 0;  // the file being read, or to be opened next
  int64_t documents_in_file_ = 0;
  std::unique_ptr<DocumentReader> reader_;
};

}  // namespace fude
