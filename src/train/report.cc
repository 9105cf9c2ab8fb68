#include "train/report.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/file.h"

namespace fude {
namespace {

constexpr double kWidth = 640, kHeight = 360, kLeft = 52, kRight = 12, kTop = 14, kBottom = 40;
constexpr size_t kPoints = 600;  // of a curve; more are averaged

constexpr size_t kColours = 6;    // of validation sets; more begin again

struct Point {
  double x, y;
};

struct Curve {
  std::string name, style;
  std::vector<Point> points;
};

// Means of equal groups, so that a long run's page stays small. A group without a finite loss is a gap (NaN).
std::vector<Point> thinned(const std::vector<Point>& points) {
  const size_t group = std::max<size_t>(1, (points.size() + kPoints - 1) / kPoints);
  std::vector<Point> result;
  for (size_t begin = 0; begin < points.size(); begin += group) {
    const size_t end = std::min(points.size(), begin + group);
    double x = 0, y = 0, finite = 0;
    for (size_t i = begin; i < end; ++i) {
      x += points[i].x;
      if (std::isfinite(points[i].y)) y += points[i].y, finite += 1;
    }
    result.push_back({x / double(end - begin), finite > 0 ? y / finite : std::numeric_limits<double>::quiet_NaN()});
  }
  return result;
}

// The training loss and that of each validation set, in bits per byte if all of them have it.
std::vector<Curve> curves_of(const std::vector<StepMetrics>& steps, bool in_bytes) {
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
  for (Curve& curve : curves) curve.points = thinned(curve.points);
  return curves;
}

bool has_bytes(const std::vector<StepMetrics>& steps) {
  return std::all_of(steps.begin(), steps.end(), [](const StepMetrics& m) {
    return m.bits_per_byte && std::all_of(m.validation.begin(), m.validation.end(), [](const auto& v) { return v.bits_per_byte.has_value(); });
  });
}

std::string number(double x) {
  if (!std::isfinite(x)) return "not finite";
  return std::abs(x) >= 1e-4 || x == 0 ? fmt::format("{:.4f}", x) : fmt::format("{:.2e}", x);
}

std::string text_of(double loss, std::optional<double> bits_per_byte) {
  const std::string nats = number(loss) + " nats per token";
  return bits_per_byte ? number(*bits_per_byte) + " bits per byte, " + nats : nats;
}

std::string short_number(double x) {
  if (std::abs(x) >= 1e6) return fmt::format("{:g}M", x / 1e6);
  if (std::abs(x) >= 1e4) return fmt::format("{:g}k", x / 1e3);
  return fmt::format("{:g}", std::abs(x) < 1e-12 ? 0.0 : x);
}

constexpr std::string_view kStyle = R"(<style>
:root{color-scheme:light dark;--ink:#1c1c1c;--soft:#6b6b6b;--line:#dcdcdc;--paper:#fdfdfb;--train:#2b6cb0;--set0:#c05621;--set1:#2f855a;--set2:#805ad5;--set3:#b7791f;--set4:#c53030;--set5:#2c7a7b}
@media(prefers-color-scheme:dark){:root{--ink:#e6e6e6;--soft:#a0a0a0;--line:#3a3a3a;--paper:#161616;--train:#63b3ed;--set0:#f6ad55;--set1:#68d391;--set2:#b794f4;--set3:#ecc94b;--set4:#fc8181;--set5:#4fd1c5}}
body{margin:0 auto;padding:1rem;max-width:46rem;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
h1{font-size:1.4rem;margin:.2rem 0}h2{font-size:1.1rem;margin:1.6rem 0 .4rem}
.soft{color:var(--soft);font-size:.9rem}svg{width:100%;height:auto;display:block}
table{border-collapse:collapse;width:100%;font-size:.9rem}td{padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
td:first-child{color:var(--soft);white-space:nowrap}
pre{white-space:pre-wrap;overflow-wrap:anywhere;border-left:3px solid var(--line);padding:.3rem .8rem;margin:.4rem 0;font-size:.85rem}
.prompt{color:var(--soft)}
svg text{fill:var(--soft);font:13px system-ui,sans-serif}.grid{stroke:var(--line)}.axis{stroke:var(--soft)}
.train{stroke:var(--train)}.set0{stroke:var(--set0)}.set1{stroke:var(--set1)}.set2{stroke:var(--set2)}.set3{stroke:var(--set3)}
.set4{stroke:var(--set4)}.set5{stroke:var(--set5)}path{fill:none;stroke-width:1.6}
</style>
)";

}  // namespace

std::string escape_html(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      case '\'': result += "&#39;"; break;
      default:
        // Control characters have no place in HTML, except tab and newline.
        if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') result += "\xEF\xBF\xBD";
        else result += c;
    }
  }
  return result;
}

std::vector<double> axis_ticks(double low, double high, int wanted) {
  if (!std::isfinite(low) || !std::isfinite(high) || !(high > low) || wanted < 1) return {};
  const double rough = (high - low) / wanted, power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough) {
      step = factor * power;
      break;
    }
  std::vector<double> ticks;
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + 1e-9 * step && ticks.size() < 100; ++k)
    ticks.push_back(k * step);
  return ticks;
}

std::string loss_svg(const std::vector<StepMetrics>& steps) {
  const bool in_bytes = has_bytes(steps);
  const std::vector<Curve> curves = curves_of(steps, in_bytes);
  double x0 = 0, x1 = 1, low = std::numeric_limits<double>::infinity(), high = -low;
  for (const Curve& curve : curves)
    for (const Point& p : curve.points) {
      x1 = std::max(x1, p.x);
      if (std::isfinite(p.y)) low = std::min(low, p.y), high = std::max(high, p.y);
    }
  if (!(low <= high)) return "<p class=\"soft\">No finite loss yet.</p>\n";
  const double margin = std::max(0.05 * (high - low), 1e-3 * std::max(std::abs(high), 1e-3));
  low -= margin, high += margin;

  const auto place_x = [&](double x) { return kLeft + (x - x0) / (x1 - x0) * (kWidth - kLeft - kRight); };
  const auto place_y = [&](double y) { return kHeight - kBottom - (y - low) / (high - low) * (kHeight - kTop - kBottom); };
  std::string svg = fmt::format(
      "<svg viewBox=\"0 0 {:g} {:g}\" role=\"img\" aria-label=\"Training and validation loss over steps\">\n", kWidth,
      kHeight);
  for (const double y : axis_ticks(low, high, 6))
    svg += fmt::format(
        "<line class=\"grid\" x1=\"{:g}\" x2=\"{:g}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/><text x=\"{:g}\" y=\"{:.1f}\" "
        "text-anchor=\"end\">{}</text>\n",
        kLeft, kWidth - kRight, place_y(y), place_y(y), kLeft - 6, place_y(y) + 4, short_number(y));
  for (const double x : axis_ticks(x0, x1, 6))
    svg += fmt::format(
        "<line class=\"axis\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:g}\" y2=\"{:g}\"/><text x=\"{:.1f}\" y=\"{:g}\" "
        "text-anchor=\"middle\">{}</text>\n",
        place_x(x), place_x(x), kHeight - kBottom, kHeight - kBottom + 4, place_x(x), kHeight - kBottom + 18,
        short_number(x));
  svg += fmt::format("<line class=\"axis\" x1=\"{:g}\" x2=\"{:g}\" y1=\"{:g}\" y2=\"{:g}\"/>\n", kLeft, kWidth - kRight,
                     kHeight - kBottom, kHeight - kBottom);
  svg += fmt::format("<text x=\"{:g}\" y=\"{:g}\" text-anchor=\"middle\">step</text>\n", (kLeft + kWidth - kRight) / 2,
                     kHeight - 6);

  svg += fmt::format("<text x=\"{:g}\" y=\"{:g}\">{}</text>\n", kLeft + 6, kTop + 8, in_bytes ? "bits per byte" : "nats per token");

  for (const Curve& curve : curves) {
    std::string path;
    bool pen_down = false;
    for (const Point& p : curve.points) {
      if (std::isfinite(p.y)) path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", place_x(p.x), place_y(p.y));
      pen_down = std::isfinite(p.y);
    }
    if (!path.empty()) svg += fmt::format("<path class=\"{}\" d=\"{}\"/>\n", curve.style, path);
    if (&curve != &curves.front() && curve.points.size() <= 50)
      for (const Point& p : curve.points)
        if (std::isfinite(p.y))
          svg += fmt::format("<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2\"/>\n", curve.style, place_x(p.x), place_y(p.y));
  }
  double y = kTop + 8;
  for (const Curve& curve : curves) {
    const double legend = kWidth - kRight - 130;
    svg += fmt::format("<path class=\"{}\" d=\"M{:g} {:g}h22\"/><text x=\"{:g}\" y=\"{:g}\">{}</text>\n", curve.style, legend, y - 4,
                       legend + 28, y, escape_html(curve.name));
    y += 18;
  }
  return svg + "</svg>\n";
}

std::string report_html(const Report& report) {
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n";
  html += fmt::format("<title>{}</title>\n", escape_html(report.title));
  html += kStyle;
  html += fmt::format("</head>\n<body>\n<h1>{}</h1>\n", escape_html(report.title));
  if (!report.machine.empty()) html += fmt::format("<p class=\"soft\">{}</p>\n", escape_html(report.machine));
  const auto row = [&](std::string_view name, std::string_view value) {
    html += fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", escape_html(name), escape_html(value));
  };
  html += "<h2>Loss</h2>\n" + loss_svg(report.steps);
  if (!report.steps.empty()) {
    const StepMetrics& last = report.steps.back();
    double seconds = 0;
    for (const StepMetrics& m : report.steps) seconds += m.seconds;
    html += "<table>\n";
    row("step", fmt::format("{}", last.step));
    row("training loss", text_of(last.loss, last.bits_per_byte));
    for (auto m = report.steps.rbegin(); m != report.steps.rend(); ++m) {
      for (const ValidationMetrics& v : m->validation)
        row("validation: " + v.name, text_of(v.loss, v.bits_per_byte) + fmt::format(" (step {})", m->step));
      if (!m->validation.empty()) break;
    }
    row("tokens seen", fmt::format("{}", last.tokens));
    if (seconds > 0) row("training time", fmt::format("{:.1f} min", seconds / 60));
    if (seconds > 0) row("tokens per second", fmt::format("{:.0f}", double(last.tokens) / seconds));
    html += "</table>\n";
  }
  if (!report.samples.empty()) html += "<h2>Samples</h2>\n";
  for (auto sample = report.samples.rbegin(); sample != report.samples.rend(); ++sample)
    html += fmt::format("<p class=\"soft\">step {}</p>\n<pre><span class=\"prompt\">{}</span>{}</pre>\n", sample->step,
                        escape_html(sample->prompt), escape_html(sample->text));
  if (!report.settings.empty()) {
    html += "<h2>Settings</h2>\n<table>\n";
    for (const auto& [name, value] : report.settings) row(name, value);
    html += "</table>\n";
  }
  return html + "</body>\n</html>\n";
}

void write_report(const std::string& path, const Report& report) { write_file(path, report_html(report)); }

}  // namespace fude
