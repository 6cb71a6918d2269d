#include "event/pattern.h"

#include <re2/re2.h>

namespace attune {

struct Pattern::Impl {
  explicit Impl(std::string_view regex) : re2(re2::StringPiece(regex.data(), regex.size()), Options()) {}

  static re2::RE2::Options Options() {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(1 << 20);
    return options;
  }

  re2::RE2 re2;
};

Pattern::Pattern(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Pattern::~Pattern() = default;

Result<std::shared_ptr<const Pattern>> Pattern::Compile(std::string_view regex) {
  if (regex.size() > 1000) return Error{ErrorCode::kInvalid, "a pattern has at most 1,000 bytes"};
  auto impl = std::make_unique<Impl>(regex);
  if (!impl->re2.ok()) return Error{ErrorCode::kInvalid, impl->re2.error()};
  return std::shared_ptr<const Pattern>(new Pattern(std::move(impl)));
}

bool Pattern::Matches(std::string_view text) const {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), impl_->re2);
}

std::vector<std::string> Pattern::GroupNames() const {
  std::vector<std::string> names(static_cast<size_t>(impl_->re2.NumberOfCapturingGroups()));
  for (const auto& [number, name] : impl_->re2.CapturingGroupNames()) names[static_cast<size_t>(number - 1)] = name;
  return names;
}

bool Pattern::MatchesWhole(std::string_view text, std::span<std::string_view> groups) const {
  std::vector<re2::StringPiece> pieces(groups.size() + 1);
  const re2::StringPiece whole(text.data(), text.size());
  if (!impl_->re2.Match(whole, 0, text.size(), re2::RE2::ANCHOR_BOTH, pieces.data(), static_cast<int>(pieces.size()))) {
    return false;
  }
  for (size_t i = 0; i < groups.size(); ++i) groups[i] = {pieces[i + 1].data(), pieces[i + 1].size()};
  return true;
}

}  // namespace attune
