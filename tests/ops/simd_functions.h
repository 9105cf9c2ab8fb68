// Included inside an open tier by simd_test.cc: the lanes' functions behind plain pointers.
void exp_of_lanes(const float* x, float* y) { store(y, exp(load(x))); }
void sigmoid_of_lanes(const float* x, float* y) { store(y, sigmoid(load(x))); }
void round_lanes(const float* x, BFloat16* y) { store(y, load(x)); }
float log_of_one(float x) { return log_of(x); }
