// The words of the world and how the seed deals them out: each attribute's values as evenly as possible, so
// that guessing the most common value earns nothing.
//
// Choosing words: no value may be part of another of its kind, and 川, 海, 山 occur in no name, because the
// verifier finds Japanese words by looking for them.
#include "tasks/world.h"

#include <utility>

namespace fude {
namespace {

constexpr Person kPeopleList[] = {
    {"Hana", "ハナ", true},        {"Kenta", "健太", false},     {"Misaki", "美咲", true},
    {"Daiki", "大輝", false},      {"Yui", "結衣", true},        {"Sota", "颯太", false},
    {"Akari", "明里", true},       {"Haruto", "晴人", false},    {"Sakura", "さくら", true},
    {"Ryota", "涼太", false},      {"Natsumi", "夏美", true},    {"Takumi", "拓実", false},
    {"Mio", "美緒", true},         {"Yuto", "悠人", false},      {"Kaho", "夏帆", true},
    {"Shota", "翔太", false},      {"Rina", "里奈", true},       {"Naoki", "直樹", false},
    {"Chihiro", "千尋", true},     {"Koji", "浩二", false},      {"Emma", "エマ", true},
    {"Oliver", "オリバー", false}, {"Clara", "クララ", true},    {"Felix", "フェリックス", false},
    {"Lucy", "ルーシー", true},    {"Henry", "ヘンリー", false}, {"Nora", "ノラ", true},
    {"Oscar", "オスカー", false},  {"Alice", "アリス", true},    {"Theo", "テオ", false},
    {"Julia", "ジュリア", true},   {"Hugo", "ヒューゴ", false},  {"Sofia", "ソフィア", true},
    {"Leon", "レオン", false},     {"Mia", "ミア", true},        {"Victor", "ビクター", false},
    {"Elena", "エレナ", true},     {"Simon", "サイモン", false}, {"Greta", "グレタ", true},
    {"Marco", "マルコ", false}};

// Four towns near each place, in the order of kPlaces.
constexpr Word kTowns[] = {{"Yanase", "柳瀬町"},   {"Hashido", "橋戸町"}, {"Mizusawa", "水沢町"},
                           {"Ashihara", "葦原町"}, {"Hamano", "浜野町"},  {"Isobe", "磯辺町"},
                           {"Shiomi", "汐見町"},   {"Funato", "船戸町"},  {"Takamine", "高嶺町"},
                           {"Sugitani", "杉谷町"}, {"Mineoka", "峰岡町"}, {"Iwasaka", "岩坂町"}};
constexpr int kTownsPerPlace = 4;
constexpr Word kPlaces[] = {{"river", "川"}, {"sea", "海"}, {"mountains", "山"}};

constexpr Word kJobs[] = {{"baker", "パン職人"},      {"teacher", "教師"},  {"nurse", "看護師"},
                          {"carpenter", "大工"},      {"farmer", "農家"},   {"painter", "画家"},
                          {"tailor", "仕立屋"},       {"gardener", "庭師"}, {"writer", "作家"},
                          {"cook", "料理人"},         {"doctor", "医者"},   {"engineer", "技師", "an"},
                          {"clockmaker", "時計職人"}, {"librarian", "司書"}};
constexpr Word kFoods[] = {{"curry", "カレー"},
                           {"udon", "うどん"},
                           {"sushi", "寿司"},
                           {"tempura", "天ぷら"},
                           {"dumplings", "餃子"},
                           {"pancakes", "ホットケーキ"},
                           {"apple pie", "アップルパイ"},
                           {"tomato soup", "トマトスープ"},
                           {"rice balls", "おにぎり"},
                           {"grilled fish", "焼き魚"},
                           {"omelettes", "オムレツ"},
                           {"pizza", "ピザ"},
                           {"fried rice", "チャーハン"},
                           {"gratin", "グラタン"}};
constexpr Word kAnimals[] = {{"cat", "猫"},
                             {"dog", "犬"},
                             {"rabbit", "うさぎ"},
                             {"goat", "やぎ"},
                             {"horse", "馬"},
                             {"parrot", "オウム"},
                             {"turtle", "亀"},
                             {"hamster", "ハムスター"},
                             {"duck", "あひる"},
                             {"owl", "フクロウ", "an"},
                             {"goldfish", "金魚"},
                             {"sheep", "羊"},
                             {"hedgehog", "ハリネズミ"},
                             {"canary", "カナリア"}};
constexpr Word kColours[] = {{"red", "赤"},      {"blue", "青"},    {"green", "緑"},    {"yellow", "黄色"},
                             {"purple", "紫"},   {"white", "白"},   {"black", "黒"},    {"orange", "オレンジ色", "an"},
                             {"pink", "ピンク"}, {"brown", "茶色"}, {"silver", "銀色"}, {"gold", "金色"}};
constexpr Word kInstruments[] = {{"piano", "ピアノ"},
                                 {"violin", "バイオリン"},
                                 {"flute", "フルート"},
                                 {"guitar", "ギター"},
                                 {"drum", "太鼓"},
                                 {"cello", "チェロ"},
                                 {"harp", "ハープ"},
                                 {"trumpet", "トランペット"},
                                 {"harmonica", "ハーモニカ"},
                                 {"shamisen", "三味線"},
                                 {"koto", "琴"},
                                 {"clarinet", "クラリネット"},
                                 {"accordion", "アコーディオン", "an"},
                                 {"organ", "オルガン", "an"}};

constexpr uint64_t kValueStream = 0x776f726c64000000, kHeldOutStream = 0x68656c6400000000;

}  // namespace

std::string_view attribute_name(Attribute attribute) {
  constexpr std::string_view names[] = {"town", "job", "food", "animal", "colour", "instrument", "place"};
  return names[size_t(attribute)];
}

std::span<const Word> attribute_values(Attribute attribute) {
  switch (attribute) {
    case Attribute::town:
      return kTowns;
    case Attribute::job:
      return kJobs;
    case Attribute::food:
      return kFoods;
    case Attribute::animal:
      return kAnimals;
    case Attribute::colour:
      return kColours;
    case Attribute::instrument:
      return kInstruments;
    case Attribute::place:
      return kPlaces;
  }
  return {};
}

std::span<const Person> people() { return kPeopleList; }

std::vector<int> shuffled(int n, Random& random) {
  std::vector<int> order(static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) order[size_t(i)] = i;
  for (int i = n - 1; i > 0; --i) std::swap(order[size_t(i)], order[random.below(uint64_t(i) + 1)]);
  return order;
}

World::World(uint64_t seed) {
  static_assert(std::size(kPeopleList) == kPeople);
  // The held-out quarter moves around a circle of people from attribute to attribute: everyone has one or two
  // held-out attributes, and five or six that are asked about.
  Random order{seed, kHeldOutStream};
  const auto ranks = shuffled(kPeople, order);
  for (int a = 0; a < kAttributes; ++a) {
    const int count = int(attribute_values(Attribute(a)).size());
    Random deal{seed, kValueStream + uint64_t(a)};
    const auto seats = shuffled(kPeople, deal);
    for (int p = 0; p < kPeople; ++p) {
      values_[size_t(p)][size_t(a)] = seats[size_t(p)] % count;
      held_out_[size_t(p)][size_t(a)] = (ranks[size_t(p)] + a * kPeople / kAttributes) % kPeople < kPeople / 4;
    }
  }
  for (auto& values : values_) values[size_t(Attribute::place)] = town_place(values[size_t(Attribute::town)]);
}

int World::town_place(int town) const { return town / kTownsPerPlace; }

std::vector<int> World::residents(int town) const {
  std::vector<int> found;
  for (int p = 0; p < kPeople; ++p)
    if (value(p, Attribute::town) == town) found.push_back(p);
  return found;
}

}  // namespace fude
