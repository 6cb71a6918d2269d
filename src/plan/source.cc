#include "plan/source.h"

namespace attune {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

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

// yaml-cpp counts bytes for pos, lines and columns alike.
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
    if (IsSpace(value[i])) continue;
    while (at < text_.size() && IsSpace(text_[at])) ++at;
    if (style == '"' && at < text_.size() && text_[at] == '\\') ++at;
    if (style == '\'' && value[i] == '\'') ++at;
    ++at;
  }
  if (offset < value.size() && !IsSpace(value[offset])) {
    while (at < text_.size() && IsSpace(text_[at])) ++at;
  }
  return AtByte(at);
}

}  // namespace attune
