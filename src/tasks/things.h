// What people of sums and stories have: things that both languages count, with the Japanese counter.
#pragma once

#include <string_view>

namespace fude {

struct Thing {
  std::string_view english, japanese, counter;
};
inline constexpr Thing kThings[] = {
    {"apples", "りんご", "個"}, {"stamps", "切手", "枚"},    {"pencils", "えんぴつ", "本"}, {"shells", "貝がら", "個"},
    {"cards", "カード", "枚"},  {"marbles", "ビー玉", "個"}, {"books", "本", "冊"},         {"flowers", "花", "本"}};

}  // namespace fude
