// The files that `attune demo` uses, embedded in the binary. Their sources and origin are in
// examples/demo.
#pragma once

#include <string_view>

namespace attune {

std::string_view DemoPlanYaml();
std::string_view DemoProductsCsv();   // the products that are clicked
std::string_view DemoCodesCsv();      // field, code, meaning
std::string_view DemoSessionsText();  // days, countries, clicks in their order
std::string_view DemoOttoText();      // the second shop: clicks, carts and orders at their times

}  // namespace attune
