// The loop of kernels that treat every element alike, whatever the shape.
#pragma once

// Calls body(i, n) for runs of n ≤ 16 elements, see for_lanes.
template <class Body>
FUDE_INLINE void for_elements(Threads& threads, int64_t size, const Body& body) {
  threads.parallel_for((size + kLanes - 1) / kLanes, 1024, [&](int64_t begin, int64_t end) {
    for_lanes(begin * kLanes, std::min(size, end * kLanes), body);
  });
}
