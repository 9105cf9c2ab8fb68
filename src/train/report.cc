#include "train/report.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/progress.h"
#include "train/chart.h"

namespace fude {
namespace {

constexpr size_t kColours = 8;  // of validation sets; more begin again
constexpr size_t kEvents = 50;  // told in full

// In bits per byte if all losses have it.
bool has_bytes(const std::vector<StepMetrics>& steps) {
  return std::all_of(steps.begin(), steps.end(), [](const StepMetrics& m) {
    return m.bits_per_byte && std::all_of(m.validation.begin(), m.validation.end(),
                                          [](const auto& v) { return v.bits_per_byte.has_value(); });
  });
}

// The training loss and that of each validation set.
std::vector<Curve> losses_of(const std::vector<StepMetrics>& steps, bool in_bytes) {
  std::vector<Curve> curves = {{"training", "train", {}}};
  for (const StepMetrics& m : steps) {
    curves[0].points.push_back({double(m.step), in_bytes ? *m.bits_per_byte : m.loss});
    for (const ValidationMetrics& v : m.validation) {
      size_t at = 1;
      while (at < curves.size() && curves[at].name != v.name) ++at;
      if (at == curves.size()) curves.push_back({v.name, fmt::format("set{}", (at - 1) % kColours), {}});
      curves[at].points.push_back({double(m.step), in_bytes ? *v.bits_per_byte : v.loss});
    }
  }
  return curves;
}

std::string number(double x) {
  if (!std::isfinite(x)) return "not finite";
  return std::abs(x) >= 1e-4 || x == 0 ? fmt::format("{:.4f}", x) : fmt::format("{:.2e}", x);
}

bool is_absent(const Json& value) {
  return value.is_string() ? value.get_ref<const std::string&>().empty() : value.empty();
}

// On one line, lists and objects too.
std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number_float()) {
    const double x = value.get<double>();
    return double(float(x)) == x ? fmt::format("{}", float(x)) : fmt::format("{}", x);  // 0.1f was given as 0.1
  }
  if (!value.is_structured()) return value.dump();
  std::string text;
  for (const auto& [key, inner] : value.items())
    if (!is_absent(inner)) text += (text.empty() ? "" : ", ") + (value.is_object() ? key + " " : "") + text_of(inner);
  return text;
}

std::string text_of(double loss, std::optional<double> bits_per_byte) {
  const std::string nats = number(loss) + " nats per token";
  return bits_per_byte ? number(*bits_per_byte) + " bits per byte, " + nats : nats;
}

constexpr std::string_view kStyle = R"(<style>
:root{color-scheme:light dark;--ink:#1c1c1c;--soft:#5f5f5f;--line:#dcdcdc;--paper:#fdfdfb;--alarm:#c53030;--train:#2b6cb0;--set0:#c05621;--set1:#2f855a;--set2:#805ad5;--set3:#b7791f;--set4:#c53030;--set5:#2c7a7b;--set6:#d53f8c;--set7:#718096}
@media(prefers-color-scheme:dark){:root{--ink:#e6e6e6;--soft:#a8a8a8;--line:#3a3a3a;--paper:#161616;--alarm:#fc8181;--train:#63b3ed;--set0:#f6ad55;--set1:#68d391;--set2:#b794f4;--set3:#ecc94b;--set4:#fc8181;--set5:#4fd1c5;--set6:#f687b3;--set7:#a0aec0}}
body{margin:0 auto;padding:1rem;max-width:46rem;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
h1{font-size:1.4rem;margin:.2rem 0;overflow-wrap:anywhere}h2{font-size:1.1rem;margin:1.8rem 0 .4rem}
.soft{color:var(--soft);font-size:.9rem;margin:.4rem 0}.alarm{color:var(--alarm)}
figure{margin:.4rem 0}figcaption{color:var(--soft);font-size:.9rem}.key{white-space:nowrap;margin-left:1rem}
.key svg{display:inline;width:1.4rem;height:.6rem;margin-right:.35rem}svg{width:100%;height:auto;display:block}
.small{display:grid;grid-template-columns:repeat(auto-fit,minmax(17rem,1fr));gap:.6rem 1.4rem}
table{border-collapse:collapse;width:100%;font-size:.9rem}td{padding:.25rem .8rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
td:first-child{color:var(--soft);width:34%}
pre{white-space:pre-wrap;overflow-wrap:anywhere;border-left:3px solid var(--line);padding:.3rem .8rem;margin:.4rem 0;font:.9rem/1.5 ui-monospace,monospace}
.prompt{color:var(--soft)}summary{cursor:pointer;color:var(--soft);font-size:.9rem;padding:.4rem 0}
svg text{fill:var(--soft);font:13px system-ui,sans-serif}@media(max-width:34rem){.wide text{font-size:22px}}
.grid{stroke:var(--line)}.axis{stroke:var(--soft)}.mark{stroke:var(--alarm);stroke-dasharray:3 3}
path{fill:none;stroke-width:1.6}circle{fill:var(--paper);stroke-width:1.6}.train{stroke:var(--train)}.set0{stroke:var(--set0)}.set1{stroke:var(--set1)}
.set2{stroke:var(--set2)}.set3{stroke:var(--set3)}.set4{stroke:var(--set4)}.set5{stroke:var(--set5)}.set6{stroke:var(--set6)}.set7{stroke:var(--set7)}
</style>
)";

// Writes one report, part by part.
class Page {
 public:
  explicit Page(const Report& report) : report_(report), steps_(report.steps) {}

  std::string html() && {
    head();
    values();
    losses();
    if (!steps_.empty()) summary();
    events();
    course();
    samples();
    settings();
    return std::move(html_) + "</body>\n</html>\n";
  }

 private:
  void head() {
    html_ =
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n";
    html_ += fmt::format("<title>{}</title>\n", escape_html(report_.title));
    html_ += kStyle;
    html_ += fmt::format("</head>\n<body>\n<h1>{}</h1>\n", escape_html(report_.title));
    if (!report_.machine.empty()) html_ += fmt::format("<p class=\"soft\">{}</p>\n", escape_html(report_.machine));
  }

  void row(std::string_view name, std::string_view value) {
    html_ += fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", escape_html(name), escape_html(value));
  }

  void losses() {
    html_ += "<h2>Loss</h2>\n";
    const bool in_bytes = has_bytes(steps_);
    const std::vector<Curve> curves = losses_of(steps_, in_bytes);
    ChartOptions options{.label = "Training and validation loss over steps", .marks = {}};
    for (const StepMetrics& m : steps_)
      if (!m.event.empty() && options.marks.size() < kEvents) options.marks.push_back(double(m.step));
    const std::string svg = chart_svg(curves, options);
    if (svg.empty()) {
      html_ += "<p class=\"soft\">No finite loss yet.</p>\n";
      return;
    }
    html_ += fmt::format("<figure class=\"wide\"><figcaption>{}", in_bytes ? "bits per byte" : "nats per token");
    for (const Curve& curve : curves)
      html_ += fmt::format(
          "<span class=\"key\"><svg viewBox=\"0 0 22 10\"><path class=\"{}\" d=\"M0 5h22\"/></svg>{}</span>\n",
          curve.style, escape_html(curve.name));
    html_ += "</figcaption>\n" + svg + "</figure>\n";
  }

  void summary() {
    const StepMetrics& last = steps_.back();
    double seconds = 0;
    for (const StepMetrics& m : steps_) seconds += m.seconds;
    html_ += "<table>\n";
    row("step",
        report_.total_steps > 0 ? fmt::format("{} of {}", last.step, report_.total_steps) : std::to_string(last.step));
    row("training loss", text_of(last.loss, last.bits_per_byte));
    const auto validated =
        std::find_if(steps_.rbegin(), steps_.rend(), [](const auto& m) { return !m.validation.empty(); });
    if (validated != steps_.rend())
      for (const ValidationMetrics& v : validated->validation)
        row("validation: " + v.name, text_of(v.loss, v.bits_per_byte) + fmt::format(" (step {})", validated->step));
    row("tokens seen", quantity_text(double(last.tokens)));
    if (seconds > 0) {
      const Speed speed = speed_of(steps_, steps_.size(), report_.limit, report_.parameters);
      row("training time", duration_text(seconds));
      row("tokens per second", quantity_text(speed.tokens_per_second));
      if (speed.share)
        row("share of the machine's limit",
            fmt::format("{:.0f} % (probed: {} FLOP/s, {}B/s read)", 100 * *speed.share,
                        quantity_text(report_.limit->flop_per_second), quantity_text(report_.limit->bytes_per_second)));
    }
    html_ += "</table>\n";
  }

  void events() {
    std::vector<const StepMetrics*> found;
    for (const StepMetrics& m : steps_)
      if (!m.event.empty()) found.push_back(&m);
    if (found.empty()) return;
    html_ += "<h2>Events</h2>\n<table>\n";
    for (size_t i = 0; i < std::min(found.size(), kEvents); ++i)
      html_ += fmt::format("<tr><td>step {}</td><td><span class=\"alarm\">{}</span> (loss {})</td></tr>\n",
                           found[i]->step, escape_html(found[i]->event), number(found[i]->loss));
    if (found.size() > kEvents) row("", fmt::format("and {} more, in metrics.jsonl", found.size() - kEvents));
    html_ += "</table>\n";
  }

  // What was measured beside the loss, a chart each with its newest value in words.
  void values() {
    std::vector<Curve> curves;
    for (const StepMetrics& m : steps_)
      for (const auto& [name, value] : m.values) {
        const auto found = std::ranges::find(curves, name, &Curve::name);
        Curve& curve = found != curves.end() ? *found : curves.emplace_back(Curve{name, "train", {}});
        curve.points.push_back({double(m.step), value});
      }
    std::string charts;
    for (const Curve& curve : curves) {
      const std::string svg =
          chart_svg({{"", "train", curve.points}},
                    {.label = curve.name, .width = 320, .height = 150, .from_zero = true, .marks = {}});
      if (svg.empty()) continue;
      charts += fmt::format("<figure><figcaption>{}: {}</figcaption>\n{}</figure>\n", escape_html(curve.name),
                            number(curve.points.back().y), svg);
    }
    if (!charts.empty()) html_ += "<h2>Measured</h2>\n<div class=\"small\">\n" + charts + "</div>\n";
  }

  // How the run went beside its loss.
  void course() {
    Curve rate{"", "train", {}}, norm = rate, speed = rate;
    for (size_t i = 0; i < steps_.size(); ++i) {
      const StepMetrics& m = steps_[i];
      const double step = double(m.step);
      rate.points.push_back({step, m.learning_rate});
      norm.points.push_back({step, m.gradient_norm});
      if (m.seconds > 0)
        speed.points.push_back({step, double(m.tokens - (i > 0 ? steps_[i - 1].tokens : 0)) / m.seconds});
    }
    std::string charts;
    for (const auto& [label, curve] :
         {std::pair("learning rate", &rate), {"gradient norm", &norm}, {"tokens per second", &speed}}) {
      const std::string svg =
          chart_svg({*curve}, {.label = label, .width = 320, .height = 150, .from_zero = true, .marks = {}});
      if (!svg.empty()) charts += fmt::format("<figure><figcaption>{}</figcaption>\n{}</figure>\n", label, svg);
    }
    if (!charts.empty()) html_ += "<h2>Course</h2>\n<div class=\"small\">\n" + charts + "</div>\n";
  }

  // The newest in full, the others folded away.
  void samples() {
    int64_t told = 0;  // steps
    for (auto m = steps_.rbegin(); m != steps_.rend(); ++m) {
      if (m->samples.empty()) continue;
      if (told == 0) html_ += "<h2>Samples</h2>\n";
      if (told == 1) html_ += "<details><summary>earlier samples</summary>\n";
      ++told;
      html_ += fmt::format("<p class=\"soft\">step {}</p>\n", m->step);
      for (const Sample& sample : m->samples)
        html_ += fmt::format("<pre><span class=\"prompt\">{}</span>{}</pre>\n", escape_html(sample.prompt),
                             escape_html(sample.text));
    }
    if (told > 1) html_ += "</details>\n";
  }

  void settings() {
    if (report_.settings.empty()) return;
    html_ += "<h2>Settings</h2>\n<table>\n";
    for (const auto& [name, value] : report_.settings) row(name, value);
    html_ += "</table>\n";
  }

  const Report& report_;
  const std::vector<StepMetrics>& steps_;
  std::string html_;
};

}  // namespace

Speed speed_of(const std::vector<StepMetrics>& steps, size_t count, const std::optional<MachineLimit>& limit,
               int64_t parameters) {
  const size_t first = steps.size() - std::min(count, steps.size());
  double seconds = 0, least = 0;
  bool is_known = limit.has_value() && first < steps.size();
  for (size_t i = first; i < steps.size(); ++i) {
    seconds += steps[i].seconds;
    if (steps[i].flop <= 0) is_known = false;
    if (is_known) least += limit->step_seconds(steps[i].flop, parameters);
  }
  if (!(seconds > 0)) return {};
  const int64_t tokens = steps.back().tokens - (first > 0 ? steps[first - 1].tokens : 0);
  return {double(tokens) / seconds, is_known ? std::optional(least / seconds) : std::nullopt};
}

SettingRows setting_rows(const Json& settings) {
  SettingRows rows;
  for (const auto& [key, value] : settings.items()) {
    if (is_absent(value)) continue;
    std::string name = key;
    std::replace(name.begin(), name.end(), '_', ' ');
    rows.emplace_back(std::move(name), text_of(value));
  }
  return rows;
}

std::string report_html(const Report& report) { return Page(report).html(); }

void write_report(const std::string& path, const Report& report) { write_file(path, report_html(report)); }

}  // namespace fude
