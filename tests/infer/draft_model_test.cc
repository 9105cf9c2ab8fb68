#include "infer/draft_model.h"

#include <gtest/gtest.h>

#include "tests/support/engine_case.h"

namespace fude {
namespace {

class DraftModelTest : public testing::Test {
 protected:
  DraftModelTest() : model(device, small_config("qwen3")) { model.initialise(3); }
  std::unique_ptr<Sequence> sequence_of(RequestId id, int64_t size) const {
    auto sequence = std::make_unique<Sequence>();
    sequence->live = std::make_shared<LiveRequest>(LiveRequest{id, {}, {}});
    sequence->tokens = random_tokens(size, id);
    return sequence;
  }

  Device device{2};
  Transformer model;
};

// In one call the small model reads so much that a step does not last: first those that have little to read.
TEST_F(DraftModelTest, ReadsLongPromptsInTheCourseOfCalls) {
  DraftModel drafts(model, default_kernels(), 4096);
  const auto first = sequence_of(1, 400), second = sequence_of(2, 300), third = sequence_of(3, 5);
  const std::vector<DraftModel::Wish> wishes = {{first.get(), 2}, {second.get(), 2}, {third.get(), 2}};
  drafts.draft(wishes);
  EXPECT_EQ(first->drafts.size(), 0u);
  EXPECT_EQ(second->drafts.size(), 2u);
  EXPECT_EQ(third->drafts.size(), 2u);
  drafts.draft(wishes);
  EXPECT_EQ(first->drafts.size(), 2u);
}

// Where pages are too few the first in order have them, and what is forgotten gives its own back.
TEST_F(DraftModelTest, TheFirstHaveRoom) {
  DraftModel drafts(model, default_kernels(), 128);  // four pages
  const auto first = sequence_of(1, 90), second = sequence_of(2, 50), third = sequence_of(3, 5);
  drafts.draft({{second.get(), 2}, {third.get(), 2}});
  EXPECT_EQ(second->drafts.size(), 2u);
  second->drafts.clear(), third->drafts.clear();
  drafts.draft({{first.get(), 2}, {second.get(), 2}, {third.get(), 2}});
  EXPECT_EQ(first->drafts.size(), 2u);
  EXPECT_EQ(second->drafts.size(), 0u);
  EXPECT_EQ(third->drafts.size(), 2u);
  drafts.draft({{second.get(), 2}});
  EXPECT_EQ(second->drafts.size(), 2u);
}

}  // namespace
}  // namespace fude
