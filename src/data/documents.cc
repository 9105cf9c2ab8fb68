#include "data/documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "data/identity.h"

namespace fude {

Json DocumentCounts::to_json() const {
  Json json = {{"files", files},
               {"documents", documents},
               {"text_bytes", text_bytes},
               {"empty_files", empty_files},
               {"empty_documents", empty_documents},
               {"blank_lines", blank_lines},
               {"other_files", other_files},
               {"skipped", Json::object()}};
  for (const auto& [reason, count] : skipped) json["skipped"][reason] = count;
  return json;
}

DocumentCounts DocumentCounts::from_json(const Json& json, std::string_view where) {
  DocumentCounts counts;
  counts.files = json_integer(json, "files", where);
  counts.documents = json_integer(json, "documents", where);
  counts.text_bytes = json_integer(json, "text_bytes", where);
  counts.empty_files = json_integer(json, "empty_files", where);
  counts.empty_documents = json_integer(json, "empty_documents", where);
  counts.blank_lines = json_integer(json, "blank_lines", where);
  counts.other_files = json_integer(json, "other_files", where);
  const auto skipped = json.find("skipped");
  require(skipped != json.end() && skipped->is_object(), "[{}] expected an object at 'skipped'", where);
  for (const auto& [reason, count] : skipped->items())
    counts.skipped[reason] = json_integer(*skipped, reason.c_str(), where);
  return counts;
}

DocumentKind document_kind(std::string_view name) {
  for (const std::string_view ending : {".gz", ".zst", ".xz"})
    if (name.ends_with(ending)) {
      name.remove_suffix(ending.size());
      break;
    }
  if (name.ends_with(".txt") || name.ends_with(".md")) return DocumentKind::text;
  if (name.ends_with(".jsonl")) return DocumentKind::jsonl;
  return DocumentKind::unknown;
}

DocumentStream::DocumentStream(const std::vector<std::string>& inputs, DocumentOptions options)
    : options_(std::move(options)) {
  namespace fs = std::filesystem;
  for (const std::string& input : inputs) {
    std::error_code error;
    if (!fs::is_directory(input, error)) {
      require(file_exists(input), "[documents] expected a file or folder, {} does not exist", input);
      require(document_kind(input) != DocumentKind::unknown,
              "[documents] expected a name with .txt, .md or .jsonl (and .gz, .zst, .xz), got {}", input);
      files_.push_back(input);
      continue;
    }
    const size_t first = files_.size();
    auto entry = fs::recursive_directory_iterator(input, error);
    for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
      std::error_code gone;
      if (!entry->is_regular_file(gone)) continue;
      if (document_kind(entry->path().native()) == DocumentKind::unknown) {
        ++counts_.other_files;
      } else {
        files_.push_back(entry->path().native());
      }
    }
    require(!error, "[documents] cannot list the folder {}: {}", input, error.message());
    std::sort(files_.begin() + long(first), files_.end());
  }
  bytes_before_.push_back(0);
  for (const std::string& file : files_) {
    std::error_code gone;
    const auto size = fs::file_size(file, gone);
    bytes_before_.push_back(bytes_before_.back() + (gone ? 0 : size));
  }
  require(!files_.empty(),
          "[documents] expected at least one .txt, .md or .jsonl file in {}, found none ({} other files)",
          fmt::join(inputs, ", "), counts_.other_files);
}

bool DocumentStream::open_file() {
  documents_in_file_ = 0;
  try {
    reader_ = read_documents(CompressedStream(files_[file_]), document_kind(files_[file_]), options_, counts_);
  } catch (const Error&) {
    if (options_.on_bad_input == OnBadInput::fail) throw;
    ++counts_.skipped["unreadable file"];
    return false;
  }
  ++counts_.files;
  return true;
}

std::optional<Document> DocumentStream::next() {
  while (file_ < files_.size()) {
    if (reader_ != nullptr || open_file()) {
      if (std::optional<Document> document = reader_->next()) {
        ++documents_in_file_;
        return document;
      }
    }
    reader_.reset();
    documents_in_file_ = 0;
    ++file_;
  }
  require(counts_.documents > 0, "[documents] expected text in {} files, found none: {}", files_.size(),
          counts_.to_json().dump());
  return std::nullopt;
}

Json DocumentStream::report() const { return counts_.to_json(); }

Json DocumentStream::position() const {
  return {
      {"file", file_}, {"document", documents_in_file_}, {"open", reader_ != nullptr}, {"counts", counts_.to_json()}};
}

void DocumentStream::seek(const Json& position) {
  const int64_t file = json_integer(position, "file", "position"),
                document = json_integer(position, "document", "position");
  const bool open = json_boolean(position, "open", "position");
  const auto counts = position.find("counts");
  require(file >= 0 && file <= int64_t(files_.size()) && document >= 0 && (!open || file < int64_t(files_.size())) &&
              counts != position.end(),
          "[documents] expected a position within {} files, got {}", files_.size(), position.dump());
  const DocumentCounts saved = DocumentCounts::from_json(*counts, "position");
  file_ = size_t(file);
  documents_in_file_ = 0;
  reader_.reset();
  if (open) {
    require(open_file(), "[documents] cannot return to {}: it can no longer be read", files_[file_]);
    while (documents_in_file_ < document) {
      require(reader_->next().has_value(), "[documents] cannot return to document {} of {}: it now has only {}",
              document, files_[file_], documents_in_file_);
      ++documents_in_file_;
    }
  }
  counts_ = saved;
}

std::string DocumentStream::identity() const {
  Json files = Json::array();
  for (const std::string& file : files_) files.push_back({file, fingerprint_of_file(file)});
  const Json whole = {{"files", files},
                      {"skip", options_.on_bad_input == OnBadInput::skip},
                      {"text", options_.text_field},
                      {"language", options_.language_field},
                      {"split", options_.split_bytes},
                      {"limit", options_.document_limit}};
  return hash_hex(whole.dump(-1, ' ', false, Json::error_handler_t::replace));
}

uint64_t DocumentStream::bytes_done() const {
  const uint64_t inside = reader_ == nullptr ? 0 : reader_->consumed();
  return std::min(bytes_before_[file_] + inside, bytes_total());
}

}  // namespace fude
