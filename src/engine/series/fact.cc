#include "engine/series/fact.h"

namespace attune {

void Fact::Write(ByteWriter* out) const {
  out->U8(static_cast<uint8_t>(kind));
  out->I64(time);
  out->String(name);
  out->String(json);
}

bool Fact::Read(ByteReader* in) {
  const uint8_t number = in->U8();
  if (number >= kFactKinds) return false;
  kind = static_cast<FactKind>(number);
  time = in->I64();
  name = in->String();
  json = in->String();
  return in->ok();
}

}  // namespace attune
