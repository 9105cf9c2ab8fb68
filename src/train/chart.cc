#include "train/chart.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace fude {
namespace {

constexpr double kLeft = 56, kRight = 12, kTop = 10, kBottom = 26;
constexpr size_t kPoints = 600;  // of a curve; more are averaged
constexpr size_t kDots = 50;     // of a curve whose points are shown one by one; above, the line alone

// Means of equal groups, so that a long run's page stays small. A group without a finite value is a gap (NaN).
std::vector<ChartPoint> thinned(const std::vector<ChartPoint>& points) {
  const size_t group = std::max<size_t>(1, (points.size() + kPoints - 1) / kPoints);
  std::vector<ChartPoint> result;
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

std::string short_number(double x) {
  if (std::abs(x) >= 1e9) return fmt::format("{:.0e}", x);
  if (std::abs(x) >= 1e6) return fmt::format("{:g}M", x / 1e6);
  if (std::abs(x) >= 1e4) return fmt::format("{:g}k", x / 1e3);
  return fmt::format("{:g}", std::abs(x) < 1e-12 ? 0.0 : x);
}

// From the numbers of the curves to places in the picture.
struct Frame {
  double x0 = 0, x1 = 1, low = std::numeric_limits<double>::infinity(), high = -low;
  double right, bottom;

  Frame(const std::vector<Curve>& curves, const ChartOptions& o) : right(o.width - kRight), bottom(o.height - kBottom) {
    for (const Curve& curve : curves)
      for (const ChartPoint& p : curve.points) {
        x1 = std::max(x1, p.x);
        if (std::isfinite(p.y)) low = std::min(low, p.y), high = std::max(high, p.y);
      }
    if (is_empty()) return;
    const double margin = std::max({0.05 * (high - low), 1e-3 * std::abs(high), 1e-9});
    low = o.from_zero ? std::min(0.0, low) : low - margin;
    high += margin;
  }
  bool is_empty() const { return !(low <= high); }
  double x(double step) const { return kLeft + (step - x0) / (x1 - x0) * (right - kLeft); }
  double y(double value) const { return bottom - (value - low) / (high - low) * (bottom - kTop); }
};

std::string axes(const Frame& frame, const ChartOptions& o) {
  std::string svg;
  for (const double y : axis_ticks(frame.low, frame.high, o.height < 200 ? 4 : 6))
    svg += fmt::format(
        "<line class=\"grid\" x1=\"{:g}\" x2=\"{:g}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/><text x=\"{:g}\" y=\"{:.1f}\" "
        "dy=\".35em\" text-anchor=\"end\">{}</text>\n",
        kLeft, frame.right, frame.y(y), frame.y(y), kLeft - 6, frame.y(y), short_number(y));
  for (const double x : axis_ticks(frame.x0, frame.x1, o.width < 400 ? 3 : 5))
    svg += fmt::format(
        "<line class=\"axis\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:g}\" y2=\"{2:g}\"/><text x=\"{0:.1f}\" y=\"{2:g}\" "
        "dy=\"1em\" text-anchor=\"{3}\">{4}</text>\n",
        frame.x(x), frame.bottom, frame.bottom + 4, frame.x(x) > frame.right - 16 ? "end" : "middle", short_number(x));
  return svg + fmt::format("<line class=\"axis\" x1=\"{0:g}\" x2=\"{1:g}\" y1=\"{2:g}\" y2=\"{2:g}\"/>\n", kLeft,
                           frame.right, frame.bottom);
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        // Control characters have no place in HTML, except tab and newline.
        if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t')
          result += "\xEF\xBF\xBD";
        else
          result += c;
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

std::string chart_svg(std::vector<Curve> curves, const ChartOptions& o) {
  for (Curve& curve : curves) curve.points = thinned(curve.points);
  const Frame frame(curves, o);
  if (frame.is_empty()) return "";
  std::string svg = fmt::format("<svg viewBox=\"0 0 {:g} {:g}\" role=\"img\" aria-label=\"{}\">\n", o.width, o.height,
                                escape_html(o.label));
  svg += axes(frame, o);
  for (const double mark : o.marks)
    svg += fmt::format("<line class=\"mark\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:g}\" y2=\"{2:g}\"/>\n",
                       frame.x(mark), kTop, frame.bottom);
  for (const Curve& curve : curves) {
    std::string path;
    bool pen_down = false;
    for (const ChartPoint& p : curve.points) {
      if (std::isfinite(p.y)) path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", frame.x(p.x), frame.y(p.y));
      pen_down = std::isfinite(p.y);
    }
    if (!path.empty()) svg += fmt::format("<path class=\"{}\" d=\"{}\"/>\n", curve.style, path);
    if (curve.points.size() > kDots) continue;
    for (const ChartPoint& p : curve.points)
      if (std::isfinite(p.y))
        svg += fmt::format("<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2\"/>\n", curve.style, frame.x(p.x),
                           frame.y(p.y));
  }
  return svg + "</svg>\n";
}

}  // namespace fude
