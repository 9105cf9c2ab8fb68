#include "data/compressed_stream.h"

#include <fcntl.h>
#include <lzma.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/error.h"

namespace fude {

// The file's own bytes, with a window that decoders consume from.
struct CompressedStream::Input {
  static constexpr size_t kWindow = size_t(1) << 17;

  std::string name;
  int fd = -1;
  std::vector<char> buffer;
  const char* data = nullptr;
  size_t available = 0;
  uint64_t fetched = 0;

  ~Input() {
    if (fd >= 0) ::close(fd);
  }
  // Makes bytes available; false at the end of the file.
  bool refill() {
    if (available > 0) return true;
    if (fd < 0) return false;
    while (available < buffer.size()) {
      const ssize_t got = ::read(fd, buffer.data() + available, buffer.size() - available);
      if (got < 0 && errno == EINTR) continue;
      require(got >= 0, "[compressed_stream] cannot read {}: {}", name, std::strerror(errno));
      if (got == 0) break;
      available += size_t(got);
    }
    data = buffer.data();
    fetched += available;
    return available > 0;
  }
  void consume(size_t bytes) {
    data += bytes;
    available -= bytes;
  }
};

struct CompressedStream::Decoder {
  explicit Decoder(Input& source) : input(source) {}
  virtual ~Decoder() = default;
  virtual size_t read(char* into, size_t size) = 0;

  [[noreturn]] void truncated(const char* format) const {
    fail("[compressed_stream] {}: the {} data is truncated", input.name, format);
  }
  [[noreturn]] void corrupt(const char* format, const char* detail) const {
    fail("[compressed_stream] {}: the {} data is corrupt ({}) near byte {} of the file", input.name, format,
         detail == nullptr ? "no detail" : detail, input.fetched - input.available);
  }
  Input& input;
};

namespace {

using Input = CompressedStream::Input;
using Decoder = CompressedStream::Decoder;

struct PlainDecoder : Decoder {
  using Decoder::Decoder;
  size_t read(char* into, size_t size) override {
    if (!input.refill()) return 0;
    size = std::min(size, input.available);
    std::memcpy(into, input.data, size);
    input.consume(size);
    return size;
  }
};

// Each decoder below asks for input first, then lets the library run even without any: it may still hold output.

struct GzipDecoder : Decoder {
  explicit GzipDecoder(Input& source) : Decoder(source) {
    require(inflateInit2(&zlib, 15 + 16) == Z_OK, "[compressed_stream] {}: cannot start zlib", input.name);
  }
  ~GzipDecoder() override { inflateEnd(&zlib); }

  size_t read(char* into, size_t size) override {
    size = std::min(size, size_t(1) << 30);
    while (true) {
      const bool more = input.refill();
      if (!inside_member) {
        if (!more) return 0;
        inflateReset(&zlib);
        inside_member = true;
      }
      const size_t offered = std::min(input.available, size_t(1) << 30);
      zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data));
      zlib.avail_in = uInt(offered);
      zlib.next_out = reinterpret_cast<Bytef*>(into);
      zlib.avail_out = uInt(size);
      const int result = inflate(&zlib, Z_NO_FLUSH);
      input.consume(offered - zlib.avail_in);
      const size_t produced = size - zlib.avail_out;
      if (result == Z_STREAM_END) {
        inside_member = false;
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        corrupt("gzip", zlib.msg);
      } else if (produced == 0 && !more) {
        truncated("gzip");
      }
      if (produced > 0) return produced;
    }
  }
  z_stream zlib{};
  bool inside_member = true;
};

// Decodes into a buffer of its own: the library finds fault with some damaged frames only if they fit into what it is
// given, and a file should be good or bad however it is read.
struct ZstdDecoder : Decoder {
  explicit ZstdDecoder(Input& source)
      : Decoder(source), context(ZSTD_createDCtx()), decoded(ZSTD_DStreamOutSize(), '\0') {
    require(context != nullptr, "[compressed_stream] {}: cannot start zstd", input.name);
  }
  ~ZstdDecoder() override { ZSTD_freeDCtx(context); }

  size_t read(char* into, size_t size) override {
    if (begin == end && !decode()) return 0;
    size = std::min(size, end - begin);
    std::memcpy(into, decoded.data() + begin, size);
    begin += size;
    return size;
  }

  bool decode() {
    while (true) {
      const bool more = input.refill();
      if (!more && !inside_frame) return false;
      ZSTD_inBuffer in{input.data, input.available, 0};
      ZSTD_outBuffer out{decoded.data(), decoded.size(), 0};
      const size_t result = ZSTD_decompressStream(context, &out, &in);
      if (ZSTD_isError(result)) corrupt("zstd", ZSTD_getErrorName(result));
      input.consume(in.pos);
      inside_frame = result != 0;
      begin = 0, end = out.pos;
      if (end > 0) return true;
      if (!more && inside_frame) truncated("zstd");
    }
  }
  ZSTD_DCtx* context;
  std::string decoded;
  size_t begin = 0, end = 0;  // of it, not yet given
  bool inside_frame = true;
};

struct XzDecoder : Decoder {
  static constexpr uint64_t kMemoryLimit = uint64_t(512) << 20;  // `xz -9` needs 65 MiB

  explicit XzDecoder(Input& source) : Decoder(source) {
    require(lzma_stream_decoder(&lzma, kMemoryLimit, LZMA_CONCATENATED) == LZMA_OK,
            "[compressed_stream] {}: cannot start xz", input.name);
  }
  ~XzDecoder() override { lzma_end(&lzma); }

  size_t read(char* into, size_t size) override {
    while (!ended) {
      const bool more = input.refill();
      lzma.next_in = reinterpret_cast<const uint8_t*>(input.data);
      lzma.avail_in = input.available;
      lzma.next_out = reinterpret_cast<uint8_t*>(into);
      lzma.avail_out = size;
      const lzma_ret result = lzma_code(&lzma, more ? LZMA_RUN : LZMA_FINISH);
      input.consume(input.available - lzma.avail_in);
      const size_t produced = size - lzma.avail_out;
      if (result == LZMA_STREAM_END) {
        ended = true;
      } else if (result != LZMA_OK && result != LZMA_BUF_ERROR) {
        corrupt("xz", reason(result));
      } else if (produced == 0 && !more) {
        truncated("xz");
      }
      if (produced > 0) return produced;
    }
    return 0;
  }
  static const char* reason(lzma_ret result) {
    switch (result) {
      case LZMA_MEMLIMIT_ERROR:
        return "it needs more than 512 MiB to decode";
      case LZMA_FORMAT_ERROR:
        return "bytes that are not xz";
      case LZMA_OPTIONS_ERROR:
        return "options of a newer version";
      case LZMA_MEM_ERROR:
        return "out of memory";
      default:
        return "checksum or structure";
    }
  }
  lzma_stream lzma = LZMA_STREAM_INIT;
  bool ended = false;
};

std::unique_ptr<Decoder> choose_decoder(Input& input) {
  input.refill();
  const std::string_view head(input.data, std::min<size_t>(input.available, 6));
  const auto begins = [&](std::string_view magic) { return head.substr(0, magic.size()) == magic; };
  if (begins("\x1f\x8b")) return std::make_unique<GzipDecoder>(input);
  // Or a frame to be skipped, which pzstd writes before each of its own.
  const bool is_skippable = head.size() >= 4 && (head[0] & 0xf0) == 0x50 && head.substr(1, 3) == "\x2a\x4d\x18";
  if (is_skippable || begins("\x28\xb5\x2f\xfd")) return std::make_unique<ZstdDecoder>(input);
  if (begins(std::string_view("\xfd\x37zXZ\0", 6))) return std::make_unique<XzDecoder>(input);
  for (const std::string_view ending : {".gz", ".zst", ".xz"}) {
    const std::string_view name = input.name;
    require(!name.ends_with(ending), "[compressed_stream] expected {} to hold {} data as its name says, {}", name,
            ending, input.available == 0 ? "it is empty" : "its first bytes are something else");
  }
  return std::make_unique<PlainDecoder>(input);
}

}  // namespace

CompressedStream::CompressedStream(const std::string& path) : input_(std::make_unique<Input>()) {
  input_->name = path;
  // O_NONBLOCK: opening a pipe that nobody writes to should be refused, not wait.
  input_->fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  require(input_->fd >= 0, "[compressed_stream] cannot open {}: {}", path, std::strerror(errno));
  struct stat info {};
  require(::fstat(input_->fd, &info) == 0 && S_ISREG(info.st_mode),
          "[compressed_stream] expected a regular file, got {}", path);
  input_->buffer.resize(Input::kWindow);
  decoder_ = choose_decoder(*input_);
}

CompressedStream::CompressedStream(std::string_view bytes, std::string name) : input_(std::make_unique<Input>()) {
  input_->name = std::move(name);
  input_->data = bytes.data();
  input_->available = input_->fetched = bytes.size();
  decoder_ = choose_decoder(*input_);
}

CompressedStream::CompressedStream(CompressedStream&&) noexcept = default;
CompressedStream& CompressedStream::operator=(CompressedStream&& other) noexcept {
  decoder_ = std::move(other.decoder_);  // before the input it refers to
  input_ = std::move(other.input_);
  return *this;
}
CompressedStream::~CompressedStream() = default;

size_t CompressedStream::read(char* into, size_t size) { return size == 0 ? 0 : decoder_->read(into, size); }
const std::string& CompressedStream::name() const { return input_->name; }
uint64_t CompressedStream::consumed() const { return input_->fetched - input_->available; }

}  // namespace fude
