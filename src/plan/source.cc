#include "plan/source.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace attune {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Replaces `?` while yaml-cpp parses: a character that YAML does not allow.
constexpr char kQuestionMark = '\x01';

// YAML allows `{price: number?}`: a `?` within plain text is text. yaml-cpp (0.7) ends the text there. A `?` is an
// indicator only after white space or one of `{[,`, so every other one can be hidden, in quotes and comments too. The
// exception is after a backslash, because the message about such an escape shows it.
std::string WithoutQuestionMarks(const std::string& text) {
  std::string hidden = text;
  for (size_t i = 1; i < text.size(); ++i) {
    const char before = text[i - 1];
    if (text[i] == '?' && !IsBlank(before) && before != '{' && before != '[' && before != ',' && before != '\\') hidden[i] = kQuestionMark;
  }
  return hidden;
}

// Visits each collection once: an alias is the node that it refers to, and may occur within itself.
void PutBackQuestionMarks(YAML::Node node, std::set<std::pair<int, bool>>* seen) {
  if (node.IsScalar()) {
    if (node.Scalar().find(kQuestionMark) == std::string::npos) return;
    std::string scalar = node.Scalar();
    std::replace(scalar.begin(), scalar.end(), kQuestionMark, '?');
    node = scalar;
    return;
  }
  if (!node.IsSequence() && !node.IsMap()) return;
  if (!seen->emplace(node.Mark().pos, node.IsMap()).second) return;
  for (const auto& item : node) {
    if (node.IsSequence()) {
      PutBackQuestionMarks(item, seen);
    } else {
      PutBackQuestionMarks(item.first, seen);
      PutBackQuestionMarks(item.second, seen);
    }
  }
}

// Appends each collection once, because an alias may repeat a large one many times, or refer to one that contains it.
void AppendNormal(const YAML::Node& node, std::map<std::pair<int, bool>, size_t>* seen, std::string* text) {
  if (node.IsScalar()) {
    *text += 's' + std::to_string(node.Scalar().size()) + ':' + node.Scalar();
  } else if (node.IsSequence() || node.IsMap()) {
    const auto [found, added] = seen->try_emplace({node.Mark().pos, node.IsMap()}, seen->size());
    if (!added) {
      *text += '*' + std::to_string(found->second) + ';';
      return;
    }
    *text += node.IsMap() ? '{' : '[';
    for (const auto& item : node) {
      if (node.IsMap()) {
        AppendNormal(item.first, seen, text);
        AppendNormal(item.second, seen, text);
      } else {
        AppendNormal(item, seen, text);
      }
    }
    *text += ']';
  } else {
    *text += 'n';
  }
}

}  // namespace

std::string NormalText(const YAML::Node& root) {
  std::map<std::pair<int, bool>, size_t> seen;
  std::string text;
  AppendNormal(root, &seen, &text);
  return text;
}

YAML::Node PlanSource::Load() const {
  if (text_.find('?') == std::string::npos || text_.find(kQuestionMark) != std::string::npos) return YAML::Load(text_);
  YAML::Node root = YAML::Load(WithoutQuestionMarks(text_));
  std::set<std::pair<int, bool>> seen;
  PutBackQuestionMarks(root, &seen);
  return root;
}

Location PlanSource::AtByte(size_t byte) const {
  Location at{index_, 1, 1};
  for (size_t i = 0; i < byte && i < text_.size(); ++i) {
    if (text_[i] == '\n') {
      ++at.line;
      at.column = 1;
    } else if ((static_cast<unsigned char>(text_[i]) & 0xC0) != 0x80) {
      ++at.column;  // continuation bytes of a character do not count
    }
  }
  return at;
}

// yaml-cpp counts pos, lines and columns in bytes.
Location PlanSource::At(const YAML::Node& node) const {
  const YAML::Mark mark = node.Mark();
  if (mark.is_null()) return {index_, 1, 1};
  return AtByte(static_cast<size_t>(mark.pos));
}

// Folding, quoting and indentation change white space only: the n-th visible character of the value is the n-th
// visible character of the source.
Location PlanSource::At(const YAML::Node& scalar, size_t offset) const {
  const std::string& value = scalar.Scalar();
  const YAML::Mark mark = scalar.Mark();
  if (mark.is_null()) return {index_, 1, 1};
  size_t at = static_cast<size_t>(mark.pos);
  const char style = at < text_.size() ? text_[at] : ' ';
  if (style == '"' || style == '\'') ++at;
  if (style == '|' || style == '>') at = std::min(text_.find('\n', at), text_.size());
  for (size_t i = 0; i < offset && i < value.size(); ++i) {
    if (IsBlank(value[i])) continue;
    while (at < text_.size() && IsBlank(text_[at])) ++at;
    if (style == '"' && at < text_.size() && text_[at] == '\\') ++at;
    if (style == '\'' && value[i] == '\'') ++at;
    ++at;
  }
  if (offset < value.size() && !IsBlank(value[offset])) {
    while (at < text_.size() && IsBlank(text_[at])) ++at;
  }
  return AtByte(at);
}

}  // namespace attune
