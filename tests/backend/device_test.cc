// What runs out is named.
#include "backend/device.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "base/error.h"

namespace fude {
namespace {

int64_t addresses_in_use() {
  int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * ::sysconf(_SC_PAGESIZE);
}

// So many bytes of addresses and no more, as after ulimit -v.
class AddressLimit {
 public:
  explicit AddressLimit(int64_t bytes) {
    ::getrlimit(RLIMIT_AS, &before_);
    rlimit limit = before_;
    limit.rlim_cur = rlim_t(bytes);
    is_set_ = ::setrlimit(RLIMIT_AS, &limit) == 0;
  }
  ~AddressLimit() { ::setrlimit(RLIMIT_AS, &before_); }
  bool is_set() const { return is_set_; }

 private:
  rlimit before_{};
  bool is_set_;
};

// The first arena leaves the second a quarter of the addresses: too few for what there is memory for.
TEST(Device, AddressesThatRanOutAreNotCalledMemory) {
  constexpr int64_t kBlock = 64 << 20;
  const int64_t used = addresses_in_use();
  if (used > int64_t(1) << 40) GTEST_SKIP() << "a sanitizer needs addresses of its own";
  std::string message;
  {
    const AddressLimit limit(used + 4 * kBlock);
    ASSERT_TRUE(limit.is_set());
    Device device(1);
    device.release(device.allocate(kBlock, Purpose::weights, Contents::undefined), kBlock, Purpose::weights);
    try {
      device.allocate(kBlock, Purpose::activations, Contents::undefined);
    } catch (const OutOfMemory& error) { message = error.what(); }
  }
  EXPECT_NE(message.find("not enough addresses: 64 MiB more are needed for activations"), std::string::npos) << message;
}

}  // namespace
}  // namespace fude
