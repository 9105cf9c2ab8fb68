// Curves over steps as an <svg> element that needs nothing else: no script, colours from the page's style sheet.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fude {

struct ChartPoint {
  double x, y;
};

struct Curve {
  std::string name, style;  // the style is a class of the page
  std::vector<ChartPoint> points;
};

struct ChartOptions {
  std::string label;  // for those who cannot see it
  double width = 640, height = 320;
  bool from_zero = false;     // the axis of y begins at 0
  std::vector<double> marks;  // steps at which something happened
};

// For text and attribute values.
std::string escape_html(std::string_view text);
// About `wanted` round numbers (1, 2 or 5 times a power of ten apart) within [low, high].
std::vector<double> axis_ticks(double low, double high, int wanted);
// What is not finite leaves a gap; long curves are thinned to means. Empty if there is nothing finite to draw.
std::string chart_svg(std::vector<Curve> curves, const ChartOptions& options);

}  // namespace fude
