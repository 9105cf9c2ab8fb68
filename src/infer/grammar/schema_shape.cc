#include "infer/grammar/schema_shape.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "infer/grammar/json_numbers.h"

namespace fude::grammar {
namespace {

constexpr size_t kMostReadings = 20'000;  // of all choices of a schema, multiplied out
constexpr size_t kMostCopied = 500'000;   // schemas that hold in them, together
constexpr uint64_t kWorkOfPart = 64;      // to copy and compare a part of a value

// Keywords that say something about a value and are handled, and those that say nothing (annotations).
const std::set<std::string_view> kHandled = {"type",
                                             "enum",
                                             "const",
                                             "properties",
                                             "required",
                                             "additionalProperties",
                                             "minProperties",
                                             "maxProperties",
                                             "items",
                                             "prefixItems",
                                             "minItems",
                                             "maxItems",
                                             "anyOf",
                                             "oneOf",
                                             "allOf",
                                             "$ref",
                                             "minLength",
                                             "maxLength",
                                             "pattern",
                                             "format",
                                             "minimum",
                                             "maximum",
                                             "exclusiveMinimum",
                                             "exclusiveMaximum",
                                             "multipleOf",
                                             "patternProperties"};
const std::set<std::string_view> kAnnotations = {"title", "description", "default",    "examples", "$schema",
                                                 "$id",   "$comment",    "deprecated", "readOnly", "writeOnly",
                                                 "$defs", "definitions", "$vocabulary"};

const std::map<std::string_view, uint32_t> kTypeNames = {
    {"null", kNullType},     {"boolean", kBooleanType}, {"integer", kIntegerType}, {"number", kNumberTypes},
    {"string", kStringType}, {"array", kArrayType},     {"object", kObjectType}};

uint64_t parts_of(const Json& value) {
  uint64_t count = value.is_string() ? 1 + value.get_ref<const std::string&>().size() / 64 : 1;
  if (value.is_structured())
    for (const Json& part : value) count += parts_of(part);
  return count;
}

// Whether what the library takes for the same holds the same numbers: it compares the bits of integers, and others as
// doubles.
template <class AnyJson>
bool same_numbers(const AnyJson& a, const AnyJson& b) {
  if (a.is_number()) return decimal_of(a) == decimal_of(b);
  return !a.is_structured() || std::equal(a.begin(), a.end(), b.begin(), same_numbers<AnyJson>);
}

// The text with its %-escapes decoded; nothing if one of them is none.
std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const std::string_view digits = text.substr(i + 1, 2);
    if (digits.size() < 2 || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) return {};
    out += char(std::stoi(std::string(digits), nullptr, 16));
    i += 2;
  }
  return out;
}

// How deep it is while it lives.
struct Raised {
  int& level;
  explicit Raised(int& given) : level(given) { ++level; }
  Raised(const Raised&) = delete;
  ~Raised() { --level; }
};

std::string escaped_for_pointer(std::string_view key) {
  std::string out;
  for (const char c : key)
    if (c == '~')
      out += "~0";
    else if (c == '/')
      out += "~1";
    else
      out += c;
  return out;
}

}  // namespace

PlacedSchema PlacedSchema::at(const std::string& key) const {
  const auto found = schema->find(key);
  return {&*found, std::make_shared<const Step>(Step{last, found.key(), 0})};
}
PlacedSchema PlacedSchema::at(size_t index) const {
  return {&(*schema)[index], std::make_shared<const Step>(Step{last, {}, index})};
}
std::string PlacedSchema::place() const {
  std::vector<const Step*> steps;
  for (const Step* step = last.get(); step != nullptr; step = step->outer.get()) steps.push_back(step);
  std::string place = "#";
  for (auto step = steps.rbegin(); step != steps.rend(); ++step)
    place += "/" + ((*step)->key ? escaped_for_pointer(*(*step)->key) : std::to_string((*step)->index));
  return place;
}

uint32_t type_of(const Json& value) {
  if (value.is_null()) return kNullType;
  if (value.is_boolean()) return kBooleanType;
  if (value.is_number_float())
    return std::floor(value.get<double>()) == value.get<double>() ? kIntegerType : kFractionType;
  if (value.is_number()) return kIntegerType;
  if (value.is_string()) return kStringType;
  return value.is_array() ? kArrayType : kObjectType;
}

bool same_value(const Json& a, const Json& b, const CountedLimits& limits) {
  limits.spend(1);
  if (!a.is_structured() || !b.is_structured()) {
    if (a != b) return false;
    if (a.is_number()) limits.spend(kWorkOfPart);
    return same_numbers(a, b);
  }
  if (a.type() != b.type() || a.size() != b.size()) return false;
  limits.spend(kWorkOfPart * (parts_of(a) + parts_of(b)));
  const nlohmann::json first = a, second = b;
  return first == second && same_numbers(first, second);
}

std::vector<PlacedSchema> Shape::all(const char* keyword) const {
  std::vector<PlacedSchema> found;
  for (const PlacedSchema& schema : schemas)
    if (schema.schema->contains(keyword)) found.push_back(schema.at(keyword));
  return found;
}

bool Shape::has(const char* keyword) const {
  for (const PlacedSchema& schema : schemas)
    if (schema.schema->contains(keyword)) return true;
  return false;
}

SchemaReader::SchemaReader(const Json& root, const GrammarLimits& limits,
                           std::function<bool(const Shape&, const Shape&)> are_apart)
    : root_(root), limits_(limits), are_apart_(std::move(are_apart)) {}

std::vector<Shape> SchemaReader::shapes(const Conjunction& conjunction) {
  for (const PlacedSchema& part : conjunction) check_ends(part);
  std::vector<Shape> out;
  read({.to_do = conjunction}, out);
  return out;
}

void SchemaReader::read(Reading reading, std::vector<Shape>& out) {
  const Raised raised(level_);
  require(level_ <= limits_.nesting, "[json_schema] choices are nested deeper than {}", limits_.nesting);
  require(++readings_ <= kMostReadings, "[json_schema] expected choices with at most {} combinations", kMostReadings);
  for (size_t i = 0; i < reading.to_do.size(); ++i) {
    const PlacedSchema next = reading.to_do[i];  // the list grows
    if (!read_schema(next, reading)) return;
  }
  reading.to_do.clear();
  if (reading.shape.types == 0) return;
  if (reading.choices.empty()) return out.push_back(std::move(reading.shape));
  const Conjunction choices = std::move(reading.choices.back());
  reading.choices.pop_back();
  for (const PlacedSchema& alternative : choices) {
    copied_ += reading.seen.size();
    for (const Conjunction& others : reading.choices) copied_ += others.size();
    require(copied_ <= kMostCopied, "[json_schema] expected choices beside fewer schemas");
    Reading with = reading;
    with.to_do = {alternative};
    read(std::move(with), out);
  }
}

bool SchemaReader::read_schema(const PlacedSchema& at, Reading& reading) {
  const Json& schema = *at.schema;
  if (schema.is_boolean()) return schema.get<bool>();
  require(schema.is_object(), "[json_schema] expected a schema at '{}', got {}", at.place(), schema.type_name());
  if (!reading.seen.insert(&schema).second) return true;  // it holds already
  check_keywords(at);
  if (schema.contains("type")) reading.shape.types &= types_of(at.at("type"));
  reading.shape.schemas.push_back(at);
  if (schema.contains("$ref")) reading.to_do.push_back(resolve(at.at("$ref")));
  if (schema.contains("allOf"))
    for (const PlacedSchema& part : alternatives_of(at.at("allOf"))) reading.to_do.push_back(part);
  if (schema.contains("anyOf")) reading.choices.push_back(alternatives_of(at.at("anyOf")));
  if (schema.contains("oneOf")) {
    reading.choices.push_back(alternatives_of(at.at("oneOf")));
    check_apart(at.at("oneOf"));
  }
  return reading.shape.types != 0;
}

// What is said of the same value must come to an end: a schema that reaches itself could be true because it is true
// (2020-12, core, section 9.4.1: undefined).
void SchemaReader::check_ends(const PlacedSchema& at) {
  if (!at.schema->is_object()) return;
  const auto [found, is_new] = ends_.try_emplace(at.schema, false);
  require(is_new || found->second,
          "[json_schema] '{}' reaches itself without a step into a member or an item, which says nothing", at.place());
  if (!is_new) return;
  const Raised raised(level_);
  require(level_ <= limits_.nesting, "[json_schema] choices are nested deeper than {}", limits_.nesting);
  if (at.schema->contains("$ref")) check_ends(resolve(at.at("$ref")));
  for (const char* keyword : {"allOf", "anyOf", "oneOf"})
    if (at.schema->contains(keyword))
      for (const PlacedSchema& part : alternatives_of(at.at(keyword))) check_ends(part);
  found->second = true;
}

void SchemaReader::check_keywords(const PlacedSchema& at) const {
  for (const auto& [key, value] : at.schema->items()) {
    if (kHandled.count(key) > 0 || kAnnotations.count(key) > 0) continue;
    if (key == "uniqueItems" && value == false) continue;
    if (key == "id" && at.schema == &root_ && value.is_string()) continue;  // what drafts before 6 call $id
    fail("[json_schema] the keyword '{}' at '{}' is not supported", key, at.place());
  }
  require(at.schema == &root_ || !at.schema->contains("$id"),
          "[json_schema] '$id' at '{}' is not supported inside a schema: references could mean another document",
          at.place());
}

uint32_t SchemaReader::types_of(const PlacedSchema& types) const {
  const auto one = [&](const Json& name) {
    require(name.is_string(), "[json_schema] expected a type's name at '{}', got {}", types.place(), name.type_name());
    const auto found = kTypeNames.find(name.get_ref<const std::string&>());
    require(found != kTypeNames.end(), "[json_schema] unknown type '{}' at '{}'", name.get<std::string>(),
            types.place());
    return found->second;
  };
  if (!types.schema->is_array()) return one(*types.schema);
  uint32_t bits = 0;
  for (const Json& name : *types.schema) bits |= one(name);
  return bits;
}

PlacedSchema SchemaReader::resolve(const PlacedSchema& reference) const {
  require(reference.schema->is_string(), "[json_schema] expected a string at '{}'", reference.place());
  const std::string& target = reference.schema->get_ref<const std::string&>();
  require(target == "#" || target.starts_with("#/"),
          "[json_schema] '$ref' at '{}': expected a reference into this schema (#/…), got '{}'", reference.place(),
          target);
  // A URI's escapes lie around those of the pointer.
  const std::optional<std::string> pointer = percent_decoded(target);
  require(pointer.has_value(), "[json_schema] '$ref' at '{}': expected two hexadecimal digits behind each %, got '{}'",
          reference.place(), target);
  PlacedSchema at = {&root_};
  for (size_t begin = 2; begin <= pointer->size();) {
    const size_t end = std::min(pointer->find('/', begin), pointer->size());
    std::string key;
    for (size_t i = begin; i < end; ++i) {
      const char c = (*pointer)[i], next = i + 1 < end ? (*pointer)[i + 1] : '\0';
      if (c == '~' && (next == '0' || next == '1'))
        key += next == '0' ? '~' : '/', ++i;
      else
        key += c;
    }
    const bool is_index = !key.empty() && key.size() < 6 && key.find_first_not_of("0123456789") == std::string::npos;
    if (at.schema->is_object() && at.schema->contains(key))
      at = at.at(key);
    else if (at.schema->is_array() && is_index && std::stoul(key) < at.schema->size())
      at = at.at(std::stoul(key));
    else
      fail("[json_schema] '$ref' at '{}': there is no '{}'", reference.place(), target);
    begin = end + 1;
  }
  return at;
}

Conjunction SchemaReader::alternatives_of(const PlacedSchema& list) const {
  require(list.schema->is_array() && !list.schema->empty(), "[json_schema] expected a list of schemas at '{}'",
          list.place());
  Conjunction parts;
  for (size_t i = 0; i < list.schema->size(); ++i) parts.push_back(list.at(i));
  return parts;
}

// A grammar cannot count how many alternatives match, so they must exclude each other.
void SchemaReader::check_apart(const PlacedSchema& list) {
  if (!checked_.insert(list.schema).second) return;
  std::vector<std::vector<Shape>> all;
  for (const PlacedSchema& part : alternatives_of(list)) all.push_back(shapes({part}));
  for (size_t i = 0; i < all.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      for (const Shape& a : all[i])
        for (const Shape& b : all[j])
          require(
              are_apart_(a, b),
              "[json_schema] 'oneOf' at '{}': alternatives {} and {} may both hold, which is not supported (if that "
              "is fine, say anyOf)",
              list.place(), j, i);
}

}  // namespace fude::grammar
