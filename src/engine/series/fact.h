// What records state about a user, apart from the user's events.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/time.h"

namespace attune {

enum class FactKind : uint8_t {
  kTrait,    // by dotted name, of an identify
  kConsent,  // by purpose: true or false
  kScore,    // by model
  kCluster,  // by model
};
inline constexpr size_t kFactKinds = 4;

struct Fact {
  FactKind kind = FactKind::kTrait;
  Millis time = 0;
  std::string name;
  std::string json;  // as sent

  void Write(ByteWriter* out) const;
  bool Read(ByteReader* in);
};

}  // namespace attune
