// From schemas to shapes: a schema with its references, allOf, anyOf and oneOf is a choice of conjunctions.
//
// A `Shape` is one such conjunction: schemas that a value must satisfy all at once, of which only the keywords that
// speak about the value itself are left to look at. Since each keeps its own `properties` beside its own
// `additionalProperties`, nothing needs to be merged, and nothing can be merged wrongly.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "infer/grammar/limits.h"

namespace fude::grammar {

// A schema and where it stands. Its keys are those of the whole schema, which must outlive it; neighbours share the way
// to them, since keys may be long and neighbours many.
struct PlacedSchema {
  struct Step {
    std::shared_ptr<const Step> outer;
    std::optional<std::string_view> key;  // or else
    size_t index;
  };
  const Json* schema = nullptr;
  std::shared_ptr<const Step> last{};
  // A part of it.
  PlacedSchema at(const std::string& key) const;
  PlacedSchema at(size_t index) const;
  // A JSON pointer, for messages.
  std::string place() const;
};
using Conjunction = std::vector<PlacedSchema>;

enum TypeBit : uint32_t {
  kNullType = 1,
  kBooleanType = 2,
  kIntegerType = 4,
  kFractionType = 8,  // numbers that are no integers
  kStringType = 16,
  kArrayType = 32,
  kObjectType = 64,
  kAllTypes = 127,
};
constexpr uint32_t kNumberTypes = kIntegerType | kFractionType;
uint32_t type_of(const Json& value);
// Whether they are the same JSON: the order of members says nothing. What that takes is spent.
bool same_value(const Json& a, const Json& b, const CountedLimits& limits);

struct Shape {
  uint32_t types = kAllTypes;
  Conjunction schemas;  // objects; their types are in `types`, their references and choices are followed
  // The values of `keyword`, with their places.
  std::vector<PlacedSchema> all(const char* keyword) const;
  bool has(const char* keyword) const;
};

class SchemaReader {
 public:
  // `root` must outlive it. `are_apart`: whether two shapes have no value in common, for oneOf.
  SchemaReader(const Json& root, const GrammarLimits& limits,
               std::function<bool(const Shape&, const Shape&)> are_apart);
  // The choice that a conjunction is. Error for what is not supported.
  std::vector<Shape> shapes(const Conjunction& conjunction);

 private:
  struct Reading {
    Shape shape{};
    Conjunction to_do{};
    std::vector<Conjunction> choices{};  // of each, one alternative must hold
    std::set<const Json*> seen{};
  };
  void read(Reading reading, std::vector<Shape>& out);
  // False if nothing satisfies it.
  bool read_schema(const PlacedSchema& at, Reading& reading);
  void check_ends(const PlacedSchema& at);
  void check_keywords(const PlacedSchema& schema) const;
  uint32_t types_of(const PlacedSchema& types) const;
  PlacedSchema resolve(const PlacedSchema& reference) const;
  Conjunction alternatives_of(const PlacedSchema& list) const;
  void check_apart(const PlacedSchema& list);

  const Json& root_;
  const GrammarLimits limits_;
  std::function<bool(const Shape&, const Shape&)> are_apart_;
  std::set<const Json*> checked_;     // oneOf lists
  std::map<const Json*, bool> ends_;  // schemas: whether they are known to end; no: they are being looked at
  size_t readings_ = 0, copied_ = 0;
  int level_ = 0;  // of read(), which comes back to itself through choices and through comparisons of them, and of
                   // check_ends()
};

}  // namespace fude::grammar
