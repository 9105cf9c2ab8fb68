#include "train/metrics.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

namespace fude {
namespace {

double number_or_nan(const Json& object, const char* key, std::string_view where) {
  return json_number(object, key, where, std::numeric_limits<double>::quiet_NaN());
}

// Calls see(line, metrics) for every line that ends in a newline.
template <class See>
void for_each_line(std::string_view text, std::string_view where, const See& see) {
  int64_t number = 0;
  for (size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1))
    see(text.substr(0, end), parse_metrics_line(text.substr(0, end), fmt::format("{}:{}", where, ++number)));
}

}  // namespace

std::string metrics_line(const StepMetrics& m) {
  Json line = {{"step", m.step}, {"loss", m.loss}};  // the library writes null for what is not finite
  if (m.bits_per_byte) line["bits_per_byte"] = *m.bits_per_byte;
  for (const ValidationMetrics& v : m.validation) {
    Json& entry = line["validation"][v.name] = {{"loss", v.loss}};
    if (v.bits_per_byte) entry["bits_per_byte"] = *v.bits_per_byte;
  }
  for (const Sample& sample : m.samples) line["samples"].push_back({{"prompt", sample.prompt}, {"text", sample.text}});
  line["learning_rate"] = m.learning_rate;
  line["gradient_norm"] = m.gradient_norm;
  line["tokens"] = m.tokens;
  if (m.flop > 0) line["flop"] = m.flop;
  line["seconds"] = m.seconds;
  if (m.sampling_seconds > 0) line["sampling_seconds"] = m.sampling_seconds;
  if (!m.event.empty()) line["event"] = m.event;
  for (const auto& [name, value] : m.values) line["values"][name] = value;
  // A prompt or a name came from the command line, which may hold any bytes.
  return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

StepMetrics parse_metrics_line(std::string_view text, std::string_view where) {
  const Json line = parse_json(text, where, {.bytes = 64 << 20, .depth = 4});
  StepMetrics m;
  m.step = json_integer(line, "step", where);
  m.loss = number_or_nan(line, "loss", where);
  if (line.contains("bits_per_byte")) m.bits_per_byte = number_or_nan(line, "bits_per_byte", where);
  if (const auto sets = line.find("validation"); sets != line.end()) {
    require(sets->is_object(), "[{}] expected an object at 'validation'", where);
    for (const auto& [name, entry] : sets->items()) {
      ValidationMetrics& v = m.validation.emplace_back();
      v.name = name, v.loss = number_or_nan(entry, "loss", where);
      if (entry.contains("bits_per_byte")) v.bits_per_byte = number_or_nan(entry, "bits_per_byte", where);
    }
  }
  if (const auto samples = line.find("samples"); samples != line.end()) {
    require(samples->is_array(), "[{}] expected an array at 'samples'", where);
    for (const Json& entry : *samples)
      m.samples.push_back({json_string(entry, "prompt", where), json_string(entry, "text", where)});
  }
  m.learning_rate = number_or_nan(line, "learning_rate", where);
  m.gradient_norm = number_or_nan(line, "gradient_norm", where);
  m.tokens = json_integer(line, "tokens", where, 0);
  m.flop = json_number(line, "flop", where, 0);
  m.seconds = json_number(line, "seconds", where, 0);
  m.sampling_seconds = json_number(line, "sampling_seconds", where, 0);
  m.event = json_string(line, "event", where, "");
  if (const auto values = line.find("values"); values != line.end()) {
    require(values->is_object(), "[{}] expected an object at 'values'", where);
    for (const auto& [name, value] : values->items())
      m.values.emplace_back(name, number_or_nan(*values, name.c_str(), where));
  }
  return m;
}

std::vector<StepMetrics> parse_metrics(std::string_view text, std::string_view where) {
  std::vector<StepMetrics> steps;
  for_each_line(text, where, [&](std::string_view, const StepMetrics& m) { steps.push_back(m); });
  return steps;
}

MetricsFile::MetricsFile(std::string path, int64_t last_step) : path_(std::move(path)) {
  std::string kept;
  if (last_step >= 0 && file_exists(path_))
    for_each_line(read_file(path_), path_, [&](std::string_view line, const StepMetrics& m) {
      if (m.step > last_step) return;
      kept.append(line).push_back('\n');
      steps_.push_back(m);
    });
  write_file(path_, kept);
  file_ = std::fopen(path_.c_str(), "ae");
  require(file_ != nullptr, "[metrics] cannot open {}: {}", path_, std::strerror(errno));
}

MetricsFile::~MetricsFile() {
  if (file_ != nullptr) std::fclose(file_);
}

void MetricsFile::append(const StepMetrics& metrics) {
  const std::string line = metrics_line(metrics) + "\n";
  const bool is_written = std::fwrite(line.data(), 1, line.size(), file_) == line.size() && std::fflush(file_) == 0;
  require(is_written, "[metrics] cannot write {}: {}", path_, std::strerror(errno));
  steps_.push_back(metrics);
}

}  // namespace fude
