#include "data/documents.h"

#include "base/json.h"
#include "tests/data/corpus.h"

namespace fude {
namespace {

std::vector<Document> read_all(DocumentSource& source) {
  std::vector<Document> documents;
  while (auto document = source.next()) documents.push_back(std::move(*document));
  return documents;
}

std::vector<std::string> texts_of(const std::vector<Document>& documents) {
  std::vector<std::string> texts;
  for (const Document& document : documents) texts.push_back(document.text);
  return texts;
}

using Texts = std::vector<std::string>;

TEST(Documents, ReadsFoldersInTheOrderOfTheirPaths) {
  const TemporaryFolder folder;
  make_directories(folder / "b");
  write_file(folder / "b/z.txt", "z");
  write_file(folder / "a.md.gz", gzip("# a\n"));
  write_file(folder / "c.jsonl.xz", xz("{\"text\": \"c1\", \"lang\": \"en\"}\n\n{\"text\": \"c2\"}"));
  write_file(folder / "d.txt.zst", zstd("d"));
  write_file(folder / "empty.txt", "");
  write_file(folder / "picture.png", "no text");
  DocumentStream stream({folder.path()});
  const auto documents = read_all(stream);
  EXPECT_EQ(texts_of(documents), (Texts{"# a\n", "z", "c1", "c2", "d"}));
  EXPECT_EQ(documents[2].language, "en");
  EXPECT_EQ(documents[3].language, "");
  EXPECT_EQ(documents[3].line, 3);
  EXPECT_EQ(documents[3].file, folder / "c.jsonl.xz");
  EXPECT_EQ(stream.counts().empty_files, 1);
  EXPECT_EQ(stream.counts().other_files, 1);
  EXPECT_EQ(stream.counts().blank_lines, 1);
  EXPECT_EQ(stream.counts().files, 5);
  EXPECT_EQ(stream.counts().text_bytes, 4 + 1 + 2 + 2 + 1);
  EXPECT_EQ(stream.bytes_done(), stream.bytes_total());
}

TEST(Documents, TakesTheFieldThatIsAskedFor) {
  const TemporaryFolder folder;
  write_file(folder / "a.jsonl", "\xEF\xBB\xBF{\"content\": \"x\\u00e9\", \"text\": \"no\", \"language\": \"fr\"}\r\n");
  DocumentStream stream({folder / "a.jsonl"}, {.text_field = "content", .language_field = "language"});
  const auto documents = read_all(stream);
  ASSERT_EQ(documents.size(), 1u);
  EXPECT_EQ(documents[0].text, "xé");
  EXPECT_EQ(documents[0].language, "fr");
}

TEST(Documents, BadLinesAreErrorsWithFileAndLineOrAreCounted) {
  const TemporaryFolder folder;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{\"text\": \"cut", "not valid JSON"},
      {"[1, 2]", "no text field"},
      {"{\"txt\": \"x\"}", "no text field"},
      {"{\"text\": 3}", "no text field"},
      {"{\"text\": \"\xff\"}", "invalid UTF-8"},
      {"{\"text\": \"\\ud800\"}", "not valid JSON"},
      {"{\"text\": \"\\u0000\"}", "binary data (a NUL byte)"},
      {std::string("{\"text\": \"\0\"}", 13), "binary data (a NUL byte)"},
      {"{\"text\": \"" + std::string(2000, 'x') + "\"}", "line too long"},
      {"{\"text\": \"x\", \"lang\": \"e\\nn\"}", "malformed language"},
      {std::string(300, '['), "not valid JSON"}};
  std::string all = "{\"text\": \"first\"}\n";
  std::map<std::string, int64_t> expected;
  for (const auto& [line, reason] : cases) {
    const std::string path = folder / "bad.jsonl";
    write_file(path, "{\"text\": \"good\"}\n\n" + line + "\n{\"text\": \"after\"}\n");
    DocumentStream strict({path}, {.document_limit = 1000});
    const std::string message = message_of([&] { read_all(strict); });
    EXPECT_NE(message.find("bad.jsonl:3: " + reason), std::string::npos) << message;
    EXPECT_LT(message.size(), 600u);
    DocumentStream lenient({path}, {.on_bad_input = OnBadInput::skip, .document_limit = 1000});
    const auto documents = read_all(lenient);
    EXPECT_EQ(texts_of(documents), (Texts{"good", "after"}));
    EXPECT_EQ(documents[1].line, 4);
    EXPECT_EQ(lenient.counts().skipped, (std::map<std::string, int64_t>{{reason, 1}}));
    all += line + "\n";
    ++expected[reason];
  }
  write_file(folder / "all.jsonl", all);
  DocumentStream lenient({folder / "all.jsonl"}, {.on_bad_input = OnBadInput::skip, .document_limit = 1000});
  EXPECT_EQ(read_all(lenient).size(), 1u);
  EXPECT_EQ(lenient.counts().skipped, expected);
}

TEST(Documents, BadTextFilesNameTheByte) {
  const TemporaryFolder folder;
  write_file(folder / "a.txt", "one\ntw\xc3");
  write_file(folder / "b.txt", std::string("PK\0\1", 4));
  write_file(folder / "c.txt", "good");
  DocumentStream strict({folder / "a.txt"});
  EXPECT_NE(message_of([&] { read_all(strict); }).find("a.txt:2: invalid UTF-8: at byte 6"), std::string::npos);
  DocumentStream lenient({folder.path()}, {.on_bad_input = OnBadInput::skip});
  EXPECT_EQ(texts_of(read_all(lenient)), Texts{"good"});
  EXPECT_EQ(lenient.counts().skipped.at("invalid UTF-8"), 1);
  EXPECT_EQ(lenient.counts().skipped.at("binary data (a NUL byte)"), 1);
}

TEST(Documents, CorruptFilesFailOrAreCounted) {
  const TemporaryFolder folder;
  std::string lines;
  Random random{.seed = 5};
  for (int i = 0; i < 20000; ++i) lines += "{\"text\": \"" + random_text(random, 30) + "\"}\n";
  const std::string whole = gzip(lines);
  write_file(folder / "a.jsonl.gz", whole.substr(0, whole.size() / 2));
  write_file(folder / "b.txt.gz", "no gzip at all");
  write_file(folder / "c.txt", "good");
  DocumentStream strict({folder.path()});
  EXPECT_NE(message_of([&] { read_all(strict); }).find("a.jsonl.gz"), std::string::npos);
  DocumentStream lenient({folder.path()}, {.on_bad_input = OnBadInput::skip});
  const auto documents = read_all(lenient);
  EXPECT_GT(documents.size(), 1000u);
  EXPECT_EQ(documents.back().text, "good");
  EXPECT_EQ(lenient.counts().skipped, (std::map<std::string, int64_t>{{"corrupt file", 1}, {"unreadable file", 1}}));
}

TEST(Documents, SplitsLargeTextsWithoutLosingAByte) {
  const TemporaryFolder folder;
  Random random{.seed = 9};
  for (int round = 0; round < 60; ++round) {
    const std::vector<std::string> parts = {"word ", "\n", "\n\n", "\r\n\r\n", "é", "筆", "😀", "long-word-without-end"};
    std::string text;
    const uint64_t kinds = 1 + random.below(parts.size());
    while (text.size() < 2000) text += parts[random.below(round % 2 ? parts.size() : kinds)];
    write_file(folder / "a.txt", text);
    for (const uint64_t split : {16, 100, 1999}) {
      DocumentStream stream({folder / "a.txt"}, {.split_bytes = split});
      std::string joined;
      for (const Document& piece : read_all(stream)) {
        EXPECT_LE(piece.text.size(), split);
        EXPECT_EQ(piece.line, 1 + std::count(joined.begin(), joined.end(), '\n'));
        joined += piece.text;
      }
      EXPECT_EQ(joined, text);
    }
  }
  write_file(folder / "b.md", "first paragraph\n\nsecond one\nwith a line\n\nthird");
  DocumentStream stream({folder / "b.md"}, {.split_bytes = 25});
  EXPECT_EQ(texts_of(read_all(stream)), (Texts{"first paragraph\n\n", "second one\nwith a line\n\n", "third"}));
  DocumentStream unsplit({folder / "b.md"}, {.split_bytes = 0, .document_limit = 20});
  EXPECT_THROW(read_all(unsplit), Error);
}

TEST(Documents, AnEmptyCorpusIsAClearError) {
  const TemporaryFolder folder;
  EXPECT_NE(message_of([&] { DocumentStream({folder.path()}); }).find("found none"), std::string::npos);
  EXPECT_THROW(DocumentStream({folder / "missing.txt"}), Error);
  write_file(folder / "a.csv", "1,2");
  EXPECT_THROW(DocumentStream({folder / "a.csv"}), Error);
  write_file(folder / "empty.txt", "");
  write_file(folder / "empty.jsonl", "\n{\"text\": \"\"}\n");
  DocumentStream stream({folder.path()});
  const std::string message = message_of([&] { read_all(stream); });
  EXPECT_NE(message.find("found none"), std::string::npos) << message;
  EXPECT_EQ(stream.counts().empty_files, 1);
  EXPECT_EQ(stream.counts().empty_documents, 1);
}

TEST(Documents, SeekReturnsToAnyPosition) {
  const TemporaryFolder folder;
  write_file(folder / "a.jsonl", "{\"text\": \"1\"}\nbad\n{\"text\": \"2\"}\n");
  write_file(folder / "b.txt", "");
  write_file(folder / "c.jsonl.gz", gzip("bad\n{\"text\": \"3\"}\nbad\n"));
  write_file(folder / "d.txt.gz", "bad");
  write_file(folder / "e.txt", "one two three four five six");
  const DocumentOptions options{.on_bad_input = OnBadInput::skip, .split_bytes = 16};
  DocumentStream whole({folder.path()}, options);
  std::vector<Json> positions = {whole.position()};
  Texts texts;
  while (const auto document = whole.next()) {
    texts.push_back(document->text);
    positions.push_back(whole.position());
  }
  positions.push_back(whole.position());
  for (size_t i = 0; i < positions.size(); ++i) {
    DocumentStream stream({folder.path()}, options);
    stream.seek(positions[i]);
    EXPECT_EQ(texts_of(read_all(stream)), Texts(texts.begin() + long(std::min(i, texts.size())), texts.end()));
    EXPECT_EQ(stream.report(), whole.report());
  }
  DocumentStream other({folder / "a.jsonl"}, options);
  EXPECT_THROW(other.seek(positions.back()), Error);
}

}  // namespace
}  // namespace fude
