#include "tensor/gguf.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/random.h"

namespace fude {
namespace {

// Made by tools/goldens/make_gguf.py.
const std::string kTiny = FUDE_SOURCE_DIR "/tests/goldens/gguf/tiny.gguf";

std::string scratch(const std::string& name = "fude_gguf_test.gguf") { return testing::TempDir() + name; }

std::string written(const std::string& bytes) {
  write_file(scratch("fude_gguf_bytes.gguf"), bytes);
  return scratch("fude_gguf_bytes.gguf");
}

// Everything a file can be asked for.
void read_all(const GgufFile& file) {
  for (const auto& [key, value] : file.metadata().entries()) {
    if (value.type == GgufType::string) {
      file.metadata().strings(key);
    } else if (value.type == GgufType::boolean) {
      file.metadata().booleans(key);
    } else {
      file.metadata().numbers(key);
    }
  }
  for (const auto& [name, tensor] : file.tensors())
    if (tensor.format != nullptr) file.read_f32(name);
}

// A file by hand: its keys and tensors, as bytes that may lie.
struct ByHand {
  uint32_t version = 3;
  uint64_t keys = 0, tensors = 0;
  std::string body, data;

  template <class T>
  ByHand& key(const std::string& name, GgufType type, const T& value) {
    ++keys;
    append_gguf(body, name), append_gguf(body, uint32_t(type)), append_gguf(body, value);
    return *this;
  }
  ByHand& tensor(const std::string& name, const std::vector<uint64_t>& extents, uint32_t type, uint64_t offset) {
    ++tensors;
    append_gguf(body, name), append_gguf(body, uint32_t(extents.size()));
    for (const uint64_t extent : extents) append_gguf(body, extent);
    append_gguf(body, type), append_gguf(body, offset);
    return *this;
  }
  ByHand& zeros(size_t bytes) {
    data.resize(bytes);
    return *this;
  }
  std::string file() const {
    std::string bytes = "GGUF";
    append_gguf(bytes, version), append_gguf(bytes, tensors), append_gguf(bytes, keys);
    bytes += body;
    bytes.resize((bytes.size() + 31) / 32 * 32);
    return written(bytes + data);
  }
};

// The file is refused, and the message has these words.
void expect_refused(const std::string& path, const std::string& words) {
  try {
    const GgufFile file(path);
    ADD_FAILURE() << "expected an error with: " << words;
  } catch (const Error& error) { EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what(); }
}

TEST(Gguf, ReadsEveryTypeOfValue) {
  const GgufFile file(kTiny);
  const GgufMetadata& metadata = file.metadata();
  EXPECT_EQ(metadata.string("general.architecture"), "tiny");
  EXPECT_EQ(metadata.integer("a.u8"), 255);
  EXPECT_EQ(metadata.integer("a.i8"), -128);
  EXPECT_EQ(metadata.integer("a.u16"), 65535);
  EXPECT_EQ(metadata.integer("a.i16"), -32768);
  EXPECT_EQ(metadata.integer("a.u32"), 4294967295);
  EXPECT_EQ(metadata.integer("a.i32"), -2147483648);
  EXPECT_EQ(metadata.integer("a.i64"), INT64_MIN);
  EXPECT_EQ(metadata.number("a.u64"), 0x1p64);
  EXPECT_EQ(metadata.number("a.f32"), double(0.1f));
  EXPECT_EQ(metadata.number("a.f64"), 0.1);
  EXPECT_EQ(metadata.number("a.i8"), -128);
  EXPECT_TRUE(metadata.boolean("a.boolean"));
  EXPECT_EQ(metadata.string("a.string"), "深い");
  EXPECT_EQ(metadata.strings("tokenizer.ggml.tokens"), (std::vector<std::string_view>{"<s>", "", "ab", "é"}));
  EXPECT_EQ(metadata.numbers("tokenizer.ggml.scores"), (std::vector<double>{0, -1.5, 2}));
  EXPECT_EQ(metadata.integers("tokenizer.ggml.token_type"), (std::vector<int64_t>{1, -2, 3}));
  EXPECT_EQ(metadata.booleans("a.booleans"), (std::vector<bool>{true, false, true}));
  EXPECT_EQ(metadata.integers("a.u8"), std::vector<int64_t>{255});
  EXPECT_EQ(metadata.find_integer("a.none"), std::nullopt);
  EXPECT_EQ(metadata.find_number("a.f64"), 0.1);
  EXPECT_THROW(metadata.integer("a.none"), Error);
  EXPECT_THROW(metadata.integers("a.none"), Error);
  EXPECT_THROW(metadata.integer("a.u64"), Error);
  EXPECT_THROW(metadata.integer("a.f32"), Error);
  EXPECT_THROW(metadata.integer("a.boolean"), Error);
  EXPECT_THROW(metadata.boolean("a.u8"), Error);
  EXPECT_THROW(metadata.string("a.u8"), Error);
  EXPECT_THROW(metadata.find_string("tokenizer.ggml.tokens"), Error);
  EXPECT_THROW(metadata.numbers("tokenizer.ggml.tokens"), Error);
}

TEST(Gguf, ReadsTensors) {
  const GgufFile file(kTiny);
  int compared = 0;
  for (const auto& [name, tensor] : file.tensors()) {
    if (!file.has("expected." + name)) continue;
    EXPECT_EQ(tensor.format->name, name);
    EXPECT_EQ(tensor.shape, file.tensor("expected." + name).shape);
    EXPECT_EQ(file.read_f32(name), file.read_f32("expected." + name));
    ++compared;
  }
  EXPECT_EQ(compared, 8);
  EXPECT_EQ(file.tensor("cube").shape, (std::vector<int64_t>{2, 3, 4}));
  std::vector<float> rows(8);
  file.read_rows_f32("cube", 4, 2, rows.data());
  EXPECT_EQ(rows, (std::vector<float>{16, 17, 18, 19, 20, 21, 22, 23}));
  std::vector<float> one(32), all = file.read_f32("Q4_1");
  file.read_rows_f32("Q4_1", 1, 1, one.data());
  EXPECT_TRUE(std::equal(one.begin(), one.end(), all.begin() + 32));
  EXPECT_THROW(file.read_rows_f32("cube", 5, 2, rows.data()), Error);
  EXPECT_THROW(file.read_rows_f32("cube", -1, 1, rows.data()), Error);
  EXPECT_THROW(file.read_f32("none"), Error);
}

TEST(Gguf, AnUnknownTypeIsAnErrorWhenItIsRead) {
  const GgufFile file(kTiny);
  EXPECT_EQ(file.tensor("Q2_K").format, nullptr);
  EXPECT_EQ(file.tensor("Q2_K").gguf_id, 10u);
  EXPECT_EQ(file.tensor("Q2_K").shape, (std::vector<int64_t>{1, 256}));
  EXPECT_THROW(file.read_f32("Q2_K"), Error);
  EXPECT_THROW(file.bytes("Q2_K"), Error);
}

// Leaves the file for tools/check_gguf.py.
TEST(Gguf, WritesWhatItReads) {
  GgufMetadata metadata;
  metadata.set("general.architecture", "test");
  metadata.set("general.alignment", uint32_t(64));
  metadata.set("test.u8", uint8_t(200));
  metadata.set("test.i16", int16_t(-5));
  metadata.set("test.u64", uint64_t(1) << 40);
  metadata.set("test.f32", 1e-5f);
  metadata.set("test.f64", 0.25);
  metadata.set("test.yes", true);
  metadata.set("test.text", std::string("one\0two", 7));
  metadata.set("test.texts", std::vector<std::string>{"a", "", "ccc"});
  metadata.set("test.floats", std::vector<float>{1, 2.5});
  metadata.set("test.flags", std::vector<bool>{true, false});
  metadata.set("test.none", std::vector<int32_t>{});
  metadata.set("test.u8", uint8_t(201));
  std::vector<GgufOutput> outputs;
  const NormalTable normals;
  for (const WeightFormat& format : weight_formats()) {
    std::vector<float> values(3 * 512), back(values.size());
    for (size_t i = 0; i < values.size(); ++i) values[i] = 0.02f * normals.eight(1, 0, i / 8)[i % 8];
    std::vector<std::byte> blocks(values.size() * 4);
    encode_weights(format, values, blocks.data(), "values");
    format.decode(blocks.data(), int64_t(values.size()) / format.block, back.data());
    const std::string name(format.name);
    // In pieces that end within blocks.
    const auto fill = [values](const auto& put) {
      for (size_t i = 0; i < values.size(); i += 100)
        put({values.begin() + long(i), values.begin() + long(std::min(i + 100, values.size()))});
    };
    outputs.push_back({name, {3, 512}, format.type, fill});
    outputs.push_back({"expected." + name, {3, 512}, WeightType::f32, [back](const auto& put) { put(back); }});
  }
  write_gguf(scratch(), metadata, outputs);
  const GgufFile file(scratch());
  ASSERT_EQ(file.metadata().entries().size(), metadata.entries().size());
  for (size_t i = 0; i < metadata.entries().size(); ++i) {
    const auto& [key, value] = metadata.entries()[i];
    const auto& [read_key, read] = file.metadata().entries()[i];
    EXPECT_EQ(read_key, key);
    EXPECT_TRUE(read.type == value.type && read.is_array == value.is_array && read.count == value.count);
    EXPECT_EQ(read.bytes, value.bytes);
  }
  EXPECT_EQ(file.metadata().integer("test.u8"), 201);
  EXPECT_EQ(file.metadata().strings("test.texts"), (std::vector<std::string_view>{"a", "", "ccc"}));
  EXPECT_EQ(file.tensors().size(), 2 * weight_formats().size());
  for (const WeightFormat& format : weight_formats()) {
    const std::string name(format.name);
    EXPECT_EQ(file.tensor(name).format, &format);
    EXPECT_EQ(file.tensor(name).shape, (std::vector<int64_t>{3, 512}));
    EXPECT_EQ(file.tensor(name).begin % 64, 0u);
    EXPECT_EQ(file.read_f32(name), file.read_f32("expected." + name));
  }
}

TEST(Gguf, WritesNothingWrong) {
  const GgufMetadata none;
  const auto refuses = [&](const std::vector<GgufOutput>& outputs) {
    EXPECT_THROW(write_gguf(scratch("fude_gguf_refused.gguf"), none, outputs), Error);
    EXPECT_FALSE(file_exists(scratch("fude_gguf_refused.gguf")));
  };
  const auto values = [](size_t count, float value = 1) {
    return [=](const auto& put) { put(std::vector<float>(count, value)); };
  };
  refuses({{"w", {2, 48}, WeightType::q8_0, values(96)}});
  refuses({{"w", {2, 32}, WeightType::q8_0, values(32)}});
  refuses({{"w", {2, 32}, WeightType::q8_0, values(65)}});
  refuses({{"w", {2, 32}, WeightType::q8_0, values(64, NAN)}});
  refuses({{"w", {2, 32}, WeightType::f16, values(64, 1e6f)}});
  refuses({{"w", {}, WeightType::f32, values(1)}});
  refuses({{"w", {0, 2}, WeightType::f32, values(0)}});
  refuses({{std::string(64, 'w'), {1}, WeightType::f32, values(1)}});
  refuses({{"w", {1}, WeightType::f32, values(1)}, {"w", {1}, WeightType::f32, values(1)}});
}

TEST(Gguf, RefusesWhatItIsNot) {
  EXPECT_NO_THROW(GgufFile(ByHand().file()));
  EXPECT_NO_THROW(GgufFile(ByHand{.version = 2}.key("k", GgufType::u8, uint8_t(1)).file()));
  expect_refused(ByHand{.version = 1}.file(), "expected version 2 or 3, got 1");
  expect_refused(ByHand{.version = 4}.file(), "expected version 2 or 3, got 4");
  expect_refused(ByHand{.version = 3 << 24}.file(), "big-endian");
  expect_refused(written("GGML and more"), "begins with 'GGUF'");
  expect_refused(written(""), "begins with 'GGUF'");
}

TEST(Gguf, RefusesDamagedMetadata) {
  const uint64_t huge = uint64_t(1) << 62;
  expect_refused(ByHand{.keys = huge}.file(), "keys cannot be");
  expect_refused(ByHand{.tensors = huge}.file(), "tensors cannot be");
  expect_refused(ByHand().key("k", GgufType::u8, uint8_t(1)).key("k", GgufType::u8, uint8_t(1)).file(), "comes twice");
  expect_refused(ByHand().key("", GgufType::u8, uint8_t(1)).file(), "1 to 65535 bytes");
  expect_refused(ByHand().key(std::string(65536, 'k'), GgufType::u8, uint8_t(1)).file(), "1 to 65535 bytes");
  expect_refused(ByHand().key("k", GgufType::boolean, uint8_t(2)).file(), "0 or 1");
  expect_refused(ByHand().key("k", GgufType(13), uint8_t(2)).file(), "got type 13");
  expect_refused(ByHand().key("k", GgufType::string, huge).file(), "of text");
  std::string array;
  append_gguf(array, uint32_t(GgufType::array)), append_gguf(array, uint64_t(1));
  ByHand nested = ByHand().key("k", GgufType::array, uint32_t(GgufType::array));
  expect_refused(nested.file(), "got type 9");
  for (const GgufType type : {GgufType::u8, GgufType::f64, GgufType::string}) {
    ByHand many = ByHand().key("k", GgufType::array, uint32_t(type));
    append_gguf(many.body, huge);
    expect_refused(many.file(), "elements cannot be");
  }
  for (const uint32_t alignment : {0u, 3u, 48u, 1u << 31})
    expect_refused(ByHand().key("general.alignment", GgufType::u32, alignment).file(), "power of two");
  expect_refused(ByHand().key("general.alignment", GgufType::f32, 32.0f).file(), "expected an integer");
}

TEST(Gguf, RefusesTensorsThatCannotBe) {
  EXPECT_NO_THROW(GgufFile(ByHand().tensor("a", {8}, 0, 0).tensor("b", {8}, 0, 32).zeros(64).file()));
  EXPECT_NO_THROW(GgufFile(ByHand().tensor("a", {}, 0, 0).zeros(4).file()));
  expect_refused(ByHand().tensor("a", {8}, 0, 0).tensor("a", {8}, 0, 32).zeros(64).file(), "comes twice");
  expect_refused(ByHand().tensor("a", {9}, 0, 0).tensor("b", {8}, 0, 32).zeros(64).file(), "overlap");
  expect_refused(ByHand().tensor("a", {16}, 0, 0).tensor("b", {8}, 99, 32).zeros(64).file(), "overlap");
  expect_refused(ByHand().tensor("a", {17}, 0, 0).zeros(64).file(), "truncated");
  expect_refused(ByHand().tensor("a", {8}, 0, 64).zeros(64).file(), "truncated");
  expect_refused(ByHand().tensor("a", {8}, 0, 0xFFFFFFFFFFFFFFE0).zeros(64).file(), "truncated");
  expect_refused(ByHand().tensor("a", {8}, 0, 16).zeros(64).file(), "in steps of 32");
  expect_refused(ByHand().tensor("a", {1, 1, 1, 1, 1}, 0, 0).zeros(64).file(), "at most 4 dimensions");
  expect_refused(ByHand().tensor("a", {8, 0}, 0, 0).zeros(64).file(), "impossible extent");
  expect_refused(ByHand().tensor("a", {uint64_t(1) << 40, uint64_t(1) << 40}, 0, 0).zeros(64).file(), "impossible");
  expect_refused(ByHand().tensor("a", {uint64_t(1) << 63}, 0, 0).zeros(64).file(), "impossible extent");
  expect_refused(ByHand().tensor("a", {uint64_t(1) << 56}, 14, 0).zeros(64).file(), "truncated");
  expect_refused(ByHand().tensor("a", {16, 2}, 8, 0).zeros(64).file(), "blocks of 32");
}

TEST(Gguf, RefusesEveryTruncation) {
  const std::string path = written(read_file(kTiny));
  const GgufFile tiny(kTiny);
  uint64_t size = 0;
  for (const auto& [name, tensor] : tiny.tensors()) size = std::max({size, tensor.begin, tensor.end});
  while (size-- > 0) {
    std::filesystem::resize_file(path, size);
    EXPECT_THROW(GgufFile{path}, Error) << size;
  }
}

TEST(Gguf, FlippedBytesAreRefusedOrRead) {
  const std::string whole = read_file(kTiny), path = written(whole);
  const GgufFile tiny(kTiny);
  uint64_t data = whole.size();
  for (const auto& [name, tensor] : tiny.tensors()) data = std::min(data, tensor.begin);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const auto patch = [&](uint64_t place, char byte) { file.seekp(long(place)).put(byte).flush(); };
  for (uint64_t i = 0; i < data; ++i) {
    for (const int flip : {1, 0x20, 0x80, 0xFF}) {
      patch(i, char(whole[i] ^ flip));
      try {
        read_all(GgufFile(path));
      } catch (const Error&) {}
    }
    patch(i, whole[i]);
  }
  EXPECT_EQ(read_file(path), whole);
}

TEST(Gguf, ALargeVocabularyIsCheap) {
  GgufMetadata metadata;
  std::vector<std::string> tokens;
  for (int i = 0; i < 150000; ++i) tokens.push_back("token " + std::to_string(i));
  metadata.set("tokens", tokens);
  write_gguf(scratch("fude_gguf_bytes.gguf"), metadata, {});
  const GgufFile file(scratch("fude_gguf_bytes.gguf"));
  const auto read = file.metadata().strings("tokens");
  EXPECT_TRUE(std::equal(read.begin(), read.end(), tokens.begin(), tokens.end()));
}

}  // namespace
}  // namespace fude
