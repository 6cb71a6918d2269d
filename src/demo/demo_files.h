// What `attune demo` shows, as files inside the binary; their sources, and where they come from,
// are in examples/demo.
#pragma once

#include <string_view>

namespace attune {

std::string_view DemoPlanYaml();
std::string_view DemoProductsCsv();   // what clicks are on
std::string_view DemoCodesCsv();      // field, code, meaning
std::string_view DemoSessionsText();  // days, countries, clicks in their order
std::string_view DemoOttoText();      // the second shop: clicks, carts and orders at their times

}  // namespace attune
