#include "app/life_report.h"

#include <algorithm>

#include "base/file.h"
#include "text/unicode.h"
#include "train/chart.h"

namespace fude {
namespace {

constexpr size_t kShown = 8;  // questions of each kind

constexpr std::string_view kStyle = R"(<style>
:root{color-scheme:light dark;--ink:#1c1c1c;--soft:#5f5f5f;--line:#dcdcdc;--paper:#fdfdfb;--right:#2f855a;--bar:#2b6cb0}
@media(prefers-color-scheme:dark){:root{--ink:#e6e6e6;--soft:#a8a8a8;--line:#3a3a3a;--paper:#161616;--right:#68d391;--bar:#63b3ed}}
body{margin:0 auto;padding:1rem;max-width:70rem;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
h1{font-size:1.4rem;margin:.2rem 0}h2{font-size:1.1rem;margin:1.8rem 0 .4rem}.soft{color:var(--soft);font-size:.9rem}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem}td,th{padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line);vertical-align:top;text-align:left}
td pre{white-space:pre-wrap;margin:0;font:.85rem/1.4 ui-monospace,monospace;min-width:9rem;max-width:18rem}
.right{color:var(--right)}.bar{fill:var(--bar)}.error{stroke:var(--ink)}svg{width:12rem;height:1rem;vertical-align:middle}
</style>
)";

std::string percent(const Estimate& e) {
  return fmt::format("{:.1f} % <span class=\"soft\">({:.1f} to {:.1f})</span>", 100 * e.value, 100 * e.interval.low,
                     100 * e.interval.high);
}

// A bar from 0 to 100 % with its interval.
std::string bar(const Estimate& e) {
  return fmt::format(
             "<svg viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{0:.1f} percent\">"
             "<rect class=\"bar\" x=\"0\" y=\"1\" width=\"{0:.2f}\" height=\"6\" opacity=\".6\"/>"
             "<path class=\"error\" d=\"M{1:.2f} 4H{2:.2f}\"/></svg> ",
             100 * e.value, 100 * e.interval.low, 100 * e.interval.high) +
         percent(e);
}

// Of whole characters.
std::string_view beginning(std::string_view text) {
  constexpr size_t kMost = 600;
  return text.size() <= kMost ? text : text.substr(0, begin_of_last(text.substr(0, kMost + 1)));
}

std::string answers_side_by_side(const std::vector<LifeGeneration>& generations,
                                 std::vector<GradedQuestion> LifeGeneration::*kind) {
  std::string html = "<div class=\"wide\"><table>\n<tr><th>question</th>";
  for (const LifeGeneration& g : generations) html += fmt::format("<th>{}</th>", escape_html(g.name));
  html += "</tr>\n";
  const std::vector<GradedQuestion>& first = generations.front().*kind;
  for (size_t q = 0; q < std::min(kShown, first.size()); ++q) {
    html += fmt::format("<tr><td><pre>{}</pre><span class=\"soft\">{}</span></td>",
                        escape_html(first[q].question.prompt), escape_html(first[q].question.answer));
    for (const LifeGeneration& g : generations) {
      const GradedAnswer& answer = (g.*kind)[q].answers.front();
      html += fmt::format("<td><pre{}>{}</pre></td>", answer.is_right ? " class=\"right\"" : "",
                          escape_html(beginning(answer.text)));
    }
    html += "</tr>\n";
  }
  return html + "</table></div>\n";
}

}  // namespace

std::vector<WayToChoose> ways_to_choose(const std::vector<GradedQuestion>& tries) {
  if (tries.empty()) return {};
  const auto n = int64_t(tries.front().answers.size());
  const std::vector<double> once = one_right(tries), vote = vote_right(tries, n, 0), best = best_right(tries, n);
  return {{"one answer", share_of(once)},
          {fmt::format("vote of {}", n), share_of(vote)},
          {fmt::format("vote of {}, weighed by the judge", n), share_of(vote_right(tries, n, 0, true))},
          {fmt::format("best of {} by the judge", n), share_of(best)},
          {"vote less one answer, paired", paired_difference(vote, once), true},
          {"best less vote, paired", paired_difference(best, vote), true}};
}

void write_life_report(const LifeReport& report) {
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>A life</title>\n";
  html += kStyle;
  html +=
      "</head>\n<body>\n<h1>A life</h1>\n<p class=\"soft\">The same questions to every generation; none was taught. "
      "Intervals cover 95 %.</p>\n<div class=\"wide\"><table>\n"
      "<tr><th>generation</th><th>facts and sums</th><th>problems (mini-AIME)</th></tr>\n";
  for (const LifeGeneration& g : report.generations)
    html += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n", escape_html(g.name),
                        bar(score_of(g.world).accuracy), bar(score_of(g.problems).accuracy));
  html += "</table></div>\n<h2>The last generation with more answers</h2>\n<div class=\"wide\"><table>\n";
  for (const auto& [name, estimate, is_difference] : ways_to_choose(report.tries))
    html += fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", escape_html(name),
                        is_difference ? percent(estimate) : bar(estimate));
  html += "</table></div>\n<h2>Facts and sums, side by side</h2>\n" +
          answers_side_by_side(report.generations, &LifeGeneration::world) + "<h2>Problems, side by side</h2>\n" +
          answers_side_by_side(report.generations, &LifeGeneration::problems) + "</body>\n</html>\n";
  write_file(report.folder + "/report.html", html);
}

}  // namespace fude
