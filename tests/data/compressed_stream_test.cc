#include "data/compressed_stream.h"

#include "tests/data/corpus.h"

namespace fude {
namespace {

std::string read_all(CompressedStream stream, size_t piece = 1000) {
  std::string all, buffer(piece, '\0');
  while (const size_t got = stream.read(buffer.data(), piece)) all.append(buffer, 0, got);
  return all;
}

std::string sample(size_t size) {
  Random random{.seed = 3};
  std::string text(size, ' ');
  for (char& c : text) c = char('a' + random.below(4));
  return text;
}

struct Format {
  std::string ending;
  std::string (*compress)(const std::string&);
};
const std::vector<Format> kFormats = {{".gz", gzip}, {".zst", zstd}, {".xz", xz}};

TEST(CompressedStream, ReadsEveryFormatInAnyPieceSize) {
  const TemporaryFolder folder;
  for (const size_t size : {0, 1, 5000, 700000}) {
    const std::string text = sample(size);
    write_file(folder / "plain.txt", text);
    EXPECT_EQ(read_all(CompressedStream(folder / "plain.txt")), text);
    for (const Format& format : kFormats) {
      const std::string path = folder / ("text" + format.ending);
      write_file(path, format.compress(text));
      for (const size_t piece : {7, 4096, 1 << 20})
        if (size < 100000 || piece > 7) {
          EXPECT_EQ(read_all(CompressedStream(path), piece), text) << format.ending << size;
        }
    }
  }
}

TEST(CompressedStream, GoesByContentsNotOnlyByName) {
  EXPECT_EQ(read_all(CompressedStream(gzip("hello"), "file.txt")), "hello");
  EXPECT_EQ(read_all(CompressedStream(xz("hello"), "file.gz")), "hello");
  for (const Format& format : kFormats) {
    EXPECT_NE(message_of([&] { CompressedStream("not compressed", "a" + format.ending); }).find("a" + format.ending),
              std::string::npos);
    EXPECT_THROW(CompressedStream("", "a" + format.ending), Error);
  }
}

TEST(CompressedStream, ReadsMembersAndFramesOneAfterTheOther) {
  for (const Format& format : kFormats) {
    const std::string whole = format.compress("one ") + format.compress("") + format.compress("two");
    EXPECT_EQ(read_all(CompressedStream(whole, "a" + format.ending), 2), "one two") << format.ending;
  }
}

TEST(CompressedStream, SkipsTheFramesOfAParallelZstd) {
  const std::string skipped("\x50\x2a\x4d\x18\x04\0\0\0size", 12);
  for (const Format& format : kFormats) {
    if (format.ending != std::string_view(".zst")) continue;
    const std::string whole = skipped + format.compress("one ") + skipped + format.compress("two");
    EXPECT_EQ(read_all(CompressedStream(whole, "a.zst"), 2), "one two");
  }
}

TEST(CompressedStream, EveryTruncationIsAnErrorThatNamesTheFile) {
  const std::string text = sample(3000);
  for (const Format& format : kFormats) {
    const std::string whole = format.compress(text);
    for (size_t size = 0; size < whole.size(); ++size) {
      const std::string message = message_of(
          [&] { read_all(CompressedStream(std::string_view(whole).substr(0, size), "cut" + format.ending)); });
      EXPECT_NE(message.find("cut" + format.ending), std::string::npos)
          << format.ending << " at " << size << ": " << message;
    }
  }
}

TEST(CompressedStream, CorruptionNeverYieldsOtherText) {
  const std::string text = sample(2000);
  for (const Format& format : kFormats) {
    const std::string whole = format.compress(text);
    for (size_t at = 0; at < whole.size(); ++at) {
      std::string damaged = whole;
      damaged[at] = char(damaged[at] ^ 0x55);
      std::string got = text;
      message_of([&] { got = read_all(CompressedStream(damaged, "bad" + format.ending)); });
      EXPECT_EQ(got, text) << format.ending << " at " << at;
    }
    EXPECT_THROW(read_all(CompressedStream(whole + "and then garbage", "a" + format.ending)), Error) << format.ending;
  }
}

// A frame whose header promises another size than its (empty) last block ends with: found by fuzzing.
TEST(CompressedStream, DamageIsFoundInAnyPieceSize) {
  const std::string frame("\x28\xb5\x2f\xfd\x60\x00\x23\x01\x00\x00", 10);
  const auto outcome = [&](size_t piece) {
    std::string text;
    const std::string error = message_of([&] { text = read_all(CompressedStream(frame, "a.zst"), piece); });
    return error + text;
  };
  EXPECT_NE(outcome(65536).find("a.zst"), std::string::npos);
  for (const size_t piece : {1, 61, 1 << 20}) EXPECT_EQ(outcome(piece), outcome(65536)) << piece;
}

TEST(CompressedStream, RefusesWhatIsNoFile) {
  const TemporaryFolder folder;
  EXPECT_THROW(CompressedStream(folder.path()), Error);
  EXPECT_THROW(CompressedStream(folder / "missing"), Error);
}

}  // namespace
}  // namespace fude
