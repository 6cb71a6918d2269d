#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "event/canonical_json.h"
#include "event/dom.h"
#include "event/schema_node.h"
#include "event/uri_reference.h"

namespace attune {
namespace {

namespace dom = simdjson::dom;

constexpr size_t kMaxSchemaDepth = 128;
constexpr size_t kMaxSchemaNodes = 10'000;

// The schemas that a keyword's value contains.
enum class Holds { kNothing, kSchema, kSchemas, kSchemaMap };

class Compiler;
struct Keyword {
  std::string_view name;
  Holds holds;
  void (Compiler::*compile)(dom::element value, const std::string& path, SchemaNode* node);
};

std::string PathTo(const std::string& path, std::string_view token) {
  std::string out = path + '/';
  for (const char c : token) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

class Compiler {
 public:
  Result<std::vector<SchemaNode>> Run(std::string_view text);

  void Annotation(dom::element, const std::string&, SchemaNode*) {}  // for people only
  void SchemaDialect(dom::element value, const std::string& path, SchemaNode*) {
    std::string_view uri;
    const bool known = value.get(uri) == simdjson::SUCCESS && (uri == "https://json-schema.org/draft/2020-12/schema" ||
                                                               uri == "https://json-schema.org/draft/2020-12/schema#");
    if (!known) Fail(path, "only the dialect https://json-schema.org/draft/2020-12/schema is supported");
  }
  void Ref(dom::element value, const std::string& path, SchemaNode* node) {
    std::string_view ref;
    if (value.get(ref) != simdjson::SUCCESS) return Fail(path, "expected text");
    const std::string uri = ResolveUri(bases_[Parent(path)], ref);
    const auto place = PlaceOf(uri);
    if (!place) return Fail(path, fmt::format("no schema \"{}\" inside this one; nothing is ever fetched", ref));
    node->ref = NodeFor(*place);
  }

  void Types(dom::element value, const std::string& path, SchemaNode* node) {
    dom::array list;
    if (value.get(list) != simdjson::SUCCESS) return AddType(value, path, node);
    for (const dom::element item : list) AddType(item, path, node);
    if (node->types == 0) Fail(path, "expected at least one type");
  }
  void Enum(dom::element value, const std::string& path, SchemaNode* node) {
    dom::array list;
    if (value.get(list) != simdjson::SUCCESS) return Fail(path, "expected a list");
    std::vector<std::string> allowed;
    for (const dom::element item : list) allowed.push_back(CanonicalJson(item));
    Allow(std::move(allowed), "one of " + simdjson::minify(value), node);
  }
  void Const(dom::element value, const std::string&, SchemaNode* node) {
    Allow({CanonicalJson(value)}, simdjson::minify(value), node);
  }

  template <std::optional<double> SchemaNode::*field>
  void Number(dom::element value, const std::string& path, SchemaNode* node) {
    double number = 0;
    if (value.get(number) != simdjson::SUCCESS) return Fail(path, "expected a number");
    if (field == &SchemaNode::multiple_of && number <= 0) return Fail(path, "expected a number above 0");
    node->*field = number;
  }
  template <SchemaSpan SchemaNode::*span, uint64_t SchemaSpan::*end>
  void Count(dom::element value, const std::string& path, SchemaNode* node) {
    double number = 0;
    if (value.get(number) != simdjson::SUCCESS || number < 0 || number != std::floor(number) || number > 1e15) {
      return Fail(path, "expected a whole number of 0 or more");
    }
    (node->*span).*end = static_cast<uint64_t>(number);
  }
  void TextPattern(dom::element value, const std::string& path, SchemaNode* node) {
    std::string_view regex;
    if (value.get(regex) != simdjson::SUCCESS) return Fail(path, "expected text");
    node->pattern = PatternOf(regex, path);
    node->pattern_text = regex;
  }
  void Unique(dom::element value, const std::string& path, SchemaNode* node) {
    if (value.get(node->unique) != simdjson::SUCCESS) Fail(path, "expected true or false");
  }

  template <SchemaIndex SchemaNode::*field>
  void Schema(dom::element, const std::string& path, SchemaNode* node) {
    node->*field = NodeFor(path);
  }
  template <std::vector<SchemaIndex> SchemaNode::*field>
  void Schemas(dom::element value, const std::string& path, SchemaNode* node) {
    dom::array list;
    if (value.get(list) != simdjson::SUCCESS || list.size() == 0) return Fail(path, "expected a list of schemas");
    for (size_t i = 0; i < list.size(); ++i) (node->*field).push_back(NodeFor(PathTo(path, std::to_string(i))));
  }
  void Properties(dom::element value, const std::string& path, SchemaNode* node) {
    ForEachMember(value, path, [&](std::string_view name, dom::element) {
      node->properties.insert_or_assign(std::string(name), NodeFor(PathTo(path, name)));
    });
  }
  void PatternProperties(dom::element value, const std::string& path, SchemaNode* node) {
    ForEachMember(value, path, [&](std::string_view regex, dom::element) {
      node->pattern_properties.emplace_back(PatternOf(regex, path), NodeFor(PathTo(path, regex)));
    });
  }
  void DependentSchemas(dom::element value, const std::string& path, SchemaNode* node) {
    ForEachMember(value, path, [&](std::string_view name, dom::element) {
      node->dependent_schemas.emplace_back(name, NodeFor(PathTo(path, name)));
    });
  }
  void DependentRequired(dom::element value, const std::string& path, SchemaNode* node) {
    ForEachMember(value, path, [&](std::string_view name, dom::element names) {
      node->dependent_required.emplace_back(name, Names(names, path));
    });
  }
  void Required(dom::element value, const std::string& path, SchemaNode* node) { node->required = Names(value, path); }

 private:
  static std::string Parent(const std::string& path) { return path.substr(0, path.rfind('/')); }

  void Fail(const std::string& path, std::string_view what) {
    if (!error_.empty()) return;
    error_ = path.empty() ? std::string(what) : fmt::format("\"{}\": {} (at {})", KeywordIn(path), what, path);
  }
  // The last token of a path, normally the keyword.
  static std::string KeywordIn(const std::string& path) { return path.substr(path.rfind('/') + 1); }

  template <typename Fn>
  void ForEachMember(dom::element value, const std::string& path, Fn fn) {
    dom::object object;
    if (value.get(object) != simdjson::SUCCESS) return Fail(path, "expected an object");
    for (const dom::key_value_pair member : object) fn(member.key, member.value);
  }

  std::vector<std::string> Names(dom::element value, const std::string& path) {
    std::vector<std::string> names;
    dom::array list;
    if (value.get(list) != simdjson::SUCCESS) {
      Fail(path, "expected a list of names");
      return names;
    }
    for (const dom::element item : list) {
      std::string_view name;
      if (item.get(name) != simdjson::SUCCESS) Fail(path, "expected a list of names");
      names.emplace_back(name);
    }
    return names;
  }

  std::shared_ptr<const Pattern> PatternOf(std::string_view regex, const std::string& path) {
    auto pattern = Pattern::Compile(regex);
    if (pattern.ok()) return std::move(pattern).value();
    Fail(path, fmt::format("pattern \"{}\": {}", regex, pattern.error().message));
    return nullptr;
  }

  void AddType(dom::element value, const std::string& path, SchemaNode* node) {
    constexpr std::pair<std::string_view, SchemaType> kTypes[] = {
        {"null", kSchemaNull},     {"boolean", kSchemaBoolean}, {"object", kSchemaObject},  {"array", kSchemaArray},
        {"number", kSchemaNumber}, {"string", kSchemaString},   {"integer", kSchemaInteger}};
    std::string_view name;
    if (value.get(name) == simdjson::SUCCESS) {
      for (const auto& [known, bit] : kTypes) {
        if (name != known) continue;
        node->types |= bit;
        if (!node->type_names.empty()) node->type_names += " or ";
        node->type_names += name;
        return;
      }
    }
    Fail(path, "expected null, boolean, object, array, number, string or integer");
  }

  // enum and const together allow the intersection.
  void Allow(std::vector<std::string> allowed, std::string text, SchemaNode* node) {
    if (node->has_enum) {
      std::erase_if(allowed, [node](const std::string& value) {
        return std::find(node->allowed.begin(), node->allowed.end(), value) == node->allowed.end();
      });
      text += " and " + node->allowed_text;
    }
    node->has_enum = true;
    node->allowed = std::move(allowed);
    node->allowed_text = std::move(text);
  }

  void Register(dom::element schema, const std::string& path, std::string base, size_t depth);
  void RegisterInside(const Keyword& keyword, dom::element value, const std::string& path, const std::string& base,
                      size_t depth);
  std::optional<std::string> PlaceOf(const std::string& uri) const;
  SchemaIndex NodeFor(const std::string& path);
  void Fill(dom::element schema, const std::string& path, SchemaNode* node);

  std::string error_;
  std::map<std::string, dom::element> elements_;  // every schema, by its JSON pointer
  std::map<std::string, std::string> bases_;      // the base URI of its references, by its JSON pointer
  std::map<std::string, std::string> places_;     // pointers by the URIs of $id and $anchor
  std::map<std::string, SchemaIndex> indexes_;
  std::vector<std::unique_ptr<SchemaNode>> nodes_;
};

using C = Compiler;
using N = SchemaNode;
using S = SchemaSpan;
constexpr Keyword kKeywords[] = {
    {"$schema", Holds::kNothing, &C::SchemaDialect},
    {"$id", Holds::kNothing, &C::Annotation},
    {"$anchor", Holds::kNothing, &C::Annotation},
    {"$ref", Holds::kNothing, &C::Ref},
    {"$defs", Holds::kSchemaMap, &C::Annotation},
    {"definitions", Holds::kSchemaMap, &C::Annotation},
    {"$comment", Holds::kNothing, &C::Annotation},
    {"title", Holds::kNothing, &C::Annotation},
    {"description", Holds::kNothing, &C::Annotation},
    {"default", Holds::kNothing, &C::Annotation},
    {"examples", Holds::kNothing, &C::Annotation},
    {"deprecated", Holds::kNothing, &C::Annotation},
    {"readOnly", Holds::kNothing, &C::Annotation},
    {"writeOnly", Holds::kNothing, &C::Annotation},
    {"type", Holds::kNothing, &C::Types},
    {"enum", Holds::kNothing, &C::Enum},
    {"const", Holds::kNothing, &C::Const},
    {"minimum", Holds::kNothing, &C::Number<&N::minimum>},
    {"exclusiveMinimum", Holds::kNothing, &C::Number<&N::exclusive_minimum>},
    {"maximum", Holds::kNothing, &C::Number<&N::maximum>},
    {"exclusiveMaximum", Holds::kNothing, &C::Number<&N::exclusive_maximum>},
    {"multipleOf", Holds::kNothing, &C::Number<&N::multiple_of>},
    {"minLength", Holds::kNothing, &C::Count<&N::length, &S::min>},
    {"maxLength", Holds::kNothing, &C::Count<&N::length, &S::max>},
    {"pattern", Holds::kNothing, &C::TextPattern},
    {"minItems", Holds::kNothing, &C::Count<&N::items_count, &S::min>},
    {"maxItems", Holds::kNothing, &C::Count<&N::items_count, &S::max>},
    {"uniqueItems", Holds::kNothing, &C::Unique},
    {"prefixItems", Holds::kSchemas, &C::Schemas<&N::prefix_items>},
    {"items", Holds::kSchema, &C::Schema<&N::items>},
    {"contains", Holds::kSchema, &C::Schema<&N::contains>},
    {"minContains", Holds::kNothing, &C::Count<&N::contains_count, &S::min>},
    {"maxContains", Holds::kNothing, &C::Count<&N::contains_count, &S::max>},
    {"minProperties", Holds::kNothing, &C::Count<&N::members_count, &S::min>},
    {"maxProperties", Holds::kNothing, &C::Count<&N::members_count, &S::max>},
    {"required", Holds::kNothing, &C::Required},
    {"dependentRequired", Holds::kNothing, &C::DependentRequired},
    {"dependentSchemas", Holds::kSchemaMap, &C::DependentSchemas},
    {"properties", Holds::kSchemaMap, &C::Properties},
    {"patternProperties", Holds::kSchemaMap, &C::PatternProperties},
    {"additionalProperties", Holds::kSchema, &C::Schema<&N::additional>},
    {"propertyNames", Holds::kSchema, &C::Schema<&N::names>},
    {"allOf", Holds::kSchemas, &C::Schemas<&N::all_of>},
    {"anyOf", Holds::kSchemas, &C::Schemas<&N::any_of>},
    {"oneOf", Holds::kSchemas, &C::Schemas<&N::one_of>},
    {"not", Holds::kSchema, &C::Schema<&N::not_schema>},
    {"if", Holds::kSchema, &C::Schema<&N::if_schema>},
    {"then", Holds::kSchema, &C::Schema<&N::then_schema>},
    {"else", Holds::kSchema, &C::Schema<&N::else_schema>},
};

const Keyword* FindKeyword(std::string_view name) {
  for (const Keyword& keyword : kKeywords) {
    if (keyword.name == name) return &keyword;
  }
  return nullptr;
}

// Records the location of every schema, so that a reference may point ahead.
void Compiler::Register(dom::element schema, const std::string& path, std::string base, size_t depth) {
  if (depth > kMaxSchemaDepth || elements_.size() > kMaxSchemaNodes) return Fail(path, "the schema is too large");
  dom::object object;
  if (schema.get(object) != simdjson::SUCCESS) {
    if (!schema.is_bool()) return Fail(path, "expected a schema: an object, true or false");
    elements_.insert_or_assign(path, schema);
    return;
  }
  elements_.insert_or_assign(path, schema);
  std::string_view text;
  if (object["$id"].get(text) == simdjson::SUCCESS) {
    base = ResolveUri(base, text);
    if (base.ends_with('#')) base.pop_back();
    places_.insert_or_assign(base, path);
  }
  if (object["$anchor"].get(text) == simdjson::SUCCESS) {
    places_.insert_or_assign(base + '#' + std::string(text), path);
  }
  bases_.insert_or_assign(path, base);
  for (const dom::key_value_pair member : object) {
    const std::string inside = PathTo(path, member.key);
    const Keyword* keyword = FindKeyword(member.key);
    if (keyword == nullptr) return Fail(inside, "the keyword is not supported");
    RegisterInside(*keyword, member.value, inside, base, depth);
  }
}

void Compiler::RegisterInside(const Keyword& keyword, dom::element value, const std::string& path,
                              const std::string& base, size_t depth) {
  dom::array list;
  dom::object object;
  if (keyword.holds == Holds::kSchema) Register(value, path, base, depth + 1);
  if (keyword.holds == Holds::kSchemas && value.get(list) == simdjson::SUCCESS) {
    size_t i = 0;
    for (const dom::element item : list) Register(item, PathTo(path, std::to_string(i++)), base, depth + 1);
  }
  if (keyword.holds == Holds::kSchemaMap) {
    if (value.get(object) != simdjson::SUCCESS) return Fail(path, "expected an object");
    for (const dom::key_value_pair member : object) Register(member.value, PathTo(path, member.key), base, depth + 1);
  }
}

// The pointer to the target of a resolved reference.
std::optional<std::string> Compiler::PlaceOf(const std::string& uri) const {
  const size_t hash = uri.find('#');
  const std::string resource = uri.substr(0, hash);
  const std::string fragment = hash == std::string::npos ? "" : PercentDecode(uri.substr(hash + 1));
  const bool is_pointer = fragment.empty() || fragment[0] == '/';
  const auto place = places_.find(is_pointer ? resource : resource + '#' + fragment);
  if (place == places_.end()) return std::nullopt;
  const std::string path = is_pointer ? place->second + fragment : place->second;
  return elements_.count(path) > 0 ? std::optional(path) : std::nullopt;
}

SchemaIndex Compiler::NodeFor(const std::string& path) {
  const auto [place, is_new] = indexes_.emplace(path, static_cast<SchemaIndex>(nodes_.size()));
  const SchemaIndex index = place->second;
  if (!is_new) return index;
  nodes_.push_back(std::make_unique<SchemaNode>());
  SchemaNode* node = nodes_.back().get();
  const auto element = elements_.find(path);
  if (element == elements_.end()) {
    Fail(path, "expected a schema");
  } else if (element->second.is_bool()) {
    node->never = !element->second.get_bool().value_unsafe();
  } else {
    Fill(element->second, path, node);
  }
  return index;
}

void Compiler::Fill(dom::element schema, const std::string& path, SchemaNode* node) {
  dom::object object;
  if (schema.get(object) != simdjson::SUCCESS) return;
  for (const dom::key_value_pair member : object) {
    const Keyword* keyword = FindKeyword(member.key);
    if (!error_.empty() || keyword == nullptr) return;
    (this->*keyword->compile)(member.value, PathTo(path, member.key), node);
  }
}

Result<std::vector<SchemaNode>> Compiler::Run(std::string_view text) {
  dom::parser parser;
  dom::element schema;
  const auto error = parser.parse(text.data(), text.size()).get(schema);
  if (error != simdjson::SUCCESS) return Error{ErrorCode::kInvalid, "the schema is not JSON"};
  places_.emplace("", "");
  Register(schema, "", "", 0);
  if (error_.empty()) NodeFor("");
  if (!error_.empty()) return Error{ErrorCode::kInvalid, error_};
  std::vector<SchemaNode> nodes;
  for (auto& node : nodes_) nodes.push_back(std::move(*node));
  return nodes;
}

}  // namespace

Result<std::vector<SchemaNode>> CompileSchema(std::string_view schema) { return Compiler().Run(schema); }

}  // namespace attune
