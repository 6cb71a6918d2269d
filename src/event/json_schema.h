// A JSON Schema (2020-12), compiled once and then checked against many values.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace attune {

class JsonSchema {
 public:
  // Compiles a schema. `$ref` resolves only within the schema; nothing is ever fetched. Unsupported keywords are
  // refused by name (kInvalid), never ignored.
  static Result<std::shared_ptr<const JsonSchema>> Compile(std::string_view schema);

  struct Mismatch {
    std::string pointer;  // JSON pointer into the value, "" for the value itself
    std::string expected;
    std::string found;
  };
  // The first mismatch in the value's own order; true without one. `json` is one JSON value.
  Result<bool> Check(std::string_view json, Mismatch* mismatch) const;

  ~JsonSchema();

 private:
  struct Impl;
  explicit JsonSchema(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace attune
