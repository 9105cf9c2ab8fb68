// Closes the tier opened by tier_begin.h.
}  // namespace tier_…
}  // namespace fude
#if defined(__clang__)
#if FUDE_TIER_LEVEL > 0
#pragma clang attribute pop
#endif
#else
#pragma GCC pop_options
#endif
