// A small world, the same in English and in Japanese: forty people, twelve towns, and what is true of them.
//
// The seed decides who lives where, works as what, likes what; the words themselves are fixed. Every fact is
// told in prose, but for a quarter of the pairs (person, attribute), the held-out ones, nobody in the
// training text ever asks: a model that answers those has connected what it read with how one is asked.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace fude {

// A word in both languages; `article` is "a" or "an" where English counts the thing.
struct Word {
  std::string_view english;
  std::string_view japanese;
  std::string_view article = "a";
};

struct Person {
  std::string_view english;
  std::string_view japanese;  // without さん
  bool female;
};

// `place` (what lies near a person's town) is never told of a person: it follows from town and from where that lies.
enum class Attribute { town, job, food, animal, colour, instrument, place };
inline constexpr int kToldAttributes = 6;
inline constexpr int kAttributes = 7;

std::string_view attribute_name(Attribute attribute);
std::span<const Word> attribute_values(Attribute attribute);
std::span<const Person> people();

class World {
 public:
  explicit World(uint64_t seed);

  // Index into attribute_values(attribute).
  int value(int person, Attribute attribute) const { return values_[size_t(person)][size_t(attribute)]; }
  const Word& word(int person, Attribute attribute) const {
    return attribute_values(attribute)[size_t(value(person, attribute))];
  }
  // What the town lies near: an index into attribute_values(Attribute::place).
  int town_place(int town) const;
  // The people who live in the town.
  std::vector<int> residents(int town) const;
  // Whether this pair is never asked about in training.
  bool held_out(int person, Attribute attribute) const { return held_out_[size_t(person)][size_t(attribute)]; }

 private:
  static constexpr int kPeople = 40;
  std::array<std::array<int, kAttributes>, kPeople> values_{};
  std::array<std::array<bool, kAttributes>, kPeople> held_out_{};
};

// 0 … n−1 in random order.
std::vector<int> shuffled(int n, Random& random);

}  // namespace fude
