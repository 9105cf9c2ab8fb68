#include "infer/grammar/json_formats.h"

#include <map>
#include <string>

namespace fude::grammar {
namespace {

// Days by month, and February 29 in leap years by the Gregorian rule.
std::string date_pattern() {
  const std::string leap_century = "(?:[02468][048]|[13579][26])";      // two digits that 4 divides
  const std::string leap_within = "(?:0[48]|[2468][048]|[13579][26])";  // and that are not 00
  return "(?:\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|"
         "02-(?:0[1-9]|1\\d|2[0-8]))|(?:\\d{2}" +
         leap_within + "|" + leap_century + "00)-02-29)";
}

std::string time_pattern() {
  return "(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)";
}

std::string ipv6_pattern() {
  const std::string group = "[0-9a-fA-F]{1,4}";
  const auto groups = [&](int count) { return "(?:" + group + ":){" + std::to_string(count) + "}"; };
  std::string result = "(?:" + groups(7) + group + "|" + groups(7) + ":";
  for (int before = 0; before <= 6; ++before) {  // so many groups, then ::, then up to 7 in all
    const std::string front = before == 0 ? ":" : groups(before);
    const int most = 7 - before;
    result += "|" + front + ":(?:" + group + "(?::" + group + "){0," + std::to_string(most - 1) + "})?";
  }
  return result + ")";
}

std::map<std::string_view, std::string> make_formats() {
  // At most 253 characters in all: few long labels, or more of them that are shorter.
  const auto labels = [](int longest, int more) {
    const std::string label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0," + std::to_string(longest - 2) + "}[A-Za-z0-9])?";
    return label + "(?:\\." + label + "){0," + std::to_string(more) + "}";
  };
  const std::string hostname = "(?:" + labels(62, 3) + "|" + labels(30, 7) + ")";
  const std::string word = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
  const std::string octet = "(?:25[0-5]|2[0-4]\\d|1\\d{2}|[1-9]?\\d)";
  const std::string ipv4 = octet + "(?:\\." + octet + "){3}";
  const std::string character = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})";
  const std::string rest =
      "(?:/" + character + "*)*(?:\\?(?:" + character + "|[/?])*)?(?:#(?:" + character + "|[/?])*)?";
  const std::string user = "(?:(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?";
  const std::string authority = "//" + user + "(?:" + hostname + "|\\[" + ipv6_pattern() + "\\])(?::\\d{1,5})?";
  const std::string uuid = "[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}";
  return {{"date", date_pattern()},
          {"time", time_pattern()},
          {"date-time", date_pattern() + "T" + time_pattern()},
          {"email", word + "(?:\\." + word + ")*@" + hostname},
          {"hostname", hostname},
          {"ipv4", ipv4},
          {"ipv6", ipv6_pattern()},
          {"uuid", uuid},
          {"uri", "[A-Za-z][A-Za-z0-9+.-]*:(?:" + authority + rest + "|" + character + "+" + rest + ")"}};
}

}  // namespace

std::string_view format_pattern(std::string_view format) {
  static const std::map<std::string_view, std::string> kFormats = make_formats();
  const auto found = kFormats.find(format);
  return found == kFormats.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace fude::grammar
