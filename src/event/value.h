// A value of the behaviour language: null, boolean, number, string, time, duration or list.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/time.h"

namespace attune {

enum class Type : uint8_t { kNull, kBool, kNumber, kString, kTime, kDuration, kList };

std::string_view TypeName(Type type);

// Small and trivially copyable: 24 bytes. Strings and lists are views; the function that returns a Value documents
// their lifetime.
class Value {
 public:
  constexpr Value() = default;
  static Value Bool(bool b) {
    Value v(Type::kBool);
    v.bool_ = b;
    return v;
  }
  static Value Number(double n) {
    Value v(Type::kNumber);
    v.number_ = n;
    return v;
  }
  static Value String(std::string_view s) {
    Value v(Type::kString);
    v.data_ = s.data();
    v.size_ = static_cast<uint32_t>(s.size());
    return v;
  }
  static Value Time(Millis t) {
    Value v(Type::kTime);
    v.millis_ = t;
    return v;
  }
  static Value Duration(Millis d) {
    Value v(Type::kDuration);
    v.millis_ = d;
    return v;
  }
  static Value List(std::span<const Value> items) {
    Value v(Type::kList);
    v.items_ = items.data();
    v.size_ = static_cast<uint32_t>(items.size());
    return v;
  }

  constexpr Type type() const { return type_; }
  constexpr bool is_null() const { return type_ == Type::kNull; }
  // Each requires the type in its name.
  constexpr bool boolean() const { return bool_; }
  constexpr double number() const { return number_; }
  constexpr Millis time() const { return millis_; }
  constexpr Millis duration() const { return millis_; }
  constexpr std::string_view string() const { return {data_, size_}; }
  constexpr std::span<const Value> list() const { return {items_, size_}; }

  // True only for boolean true: null counts as false.
  constexpr bool IsTrue() const { return type_ == Type::kBool && bool_; }

 private:
  constexpr explicit Value(Type type) : type_(type) {}

  union {
    bool bool_;
    double number_ = 0;
    Millis millis_;
    const char* data_;
    const Value* items_;
  };
  uint32_t size_ = 0;
  Type type_ = Type::kNull;
};

// Same type and same value; null equals null here (unlike `=` of the language). Lists compare item by item.
bool Identical(const Value& a, const Value& b);

// The order of two values of one type (booleans: false first; strings by bytes). Requires the same ordered type.
int Order(const Value& a, const Value& b);

// As JSON text: times as RFC 3339 strings, durations as milliseconds, integers without a fraction.
std::string ToJson(const Value& value);

// Appends the shortest decimal that parses as `number`; whole numbers below 2^53 without fraction or exponent.
void AppendJsonNumber(double number, std::string* out);

}  // namespace attune
