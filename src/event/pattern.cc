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

}  // namespace attune
