#include "ingest/body_encoding.h"

#include <fmt/format.h>

#include <algorithm>

#include "compression/inflate.h"

namespace attune {
namespace {

uint8_t ByteAt(std::string_view text, size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; }

bool IsGzip(std::string_view body) { return ByteAt(body, 0) == 0x1f && ByteAt(body, 1) == 0x8b; }

// Deflate with a window of up to 32 KiB, and the header's own checksum. No JSON begins with an x.
bool IsZlib(std::string_view body) {
  return (ByteAt(body, 0) & 0x8f) == 0x08 && ByteAt(body, 0) == 0x78 &&
         (ByteAt(body, 0) * 256 + ByteAt(body, 1)) % 31 == 0;
}

Refusal Damaged(std::string detail) {
  Refusal refusal;
  refusal.reason = Reason::kBadCompression;
  refusal.detail = std::move(detail);
  return refusal;
}

Refusal TooLarge(size_t actual, size_t limit) {
  Refusal refusal;
  refusal.reason = Reason::kBodyTooLarge;
  refusal.detail = fmt::format("the body has more than {} bytes", limit);
  refusal.limit = limit;
  refusal.actual = actual;
  return refusal;
}

// Why a body could not be inflated.
Refusal RefusalOf(const InflateFault& fault, const IngestLimits& limits) {
  switch (fault.kind) {
    case InflateFault::Kind::kTooLarge: return TooLarge(fault.bytes, limits.body_bytes);
    case InflateFault::Kind::kTooDense: return Damaged(fmt::format("the body grows more than {} times", limits.expansion));
    case InflateFault::Kind::kDamaged: break;
  }
  return Damaged(fault.detail);
}

}  // namespace

std::optional<Refusal> DecodeBody(std::string_view body, const IngestLimits& limits, std::string* buffer,
                                  std::string_view* text) {
  *text = body;
  if (IsGzip(body) || IsZlib(body)) {
    if (const auto fault = Inflate(body, {limits.body_bytes, limits.expansion}, buffer)) return RefusalOf(*fault, limits);
    *text = *buffer;
  }
  if (text->size() > limits.body_bytes) return TooLarge(text->size(), limits.body_bytes);
  if (text->starts_with("\xEF\xBB\xBF")) text->remove_prefix(3);
  return std::nullopt;
}

}  // namespace attune
