// "Did you mean …": the known name nearest to an unknown one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace attune {

// The candidate with the smallest edit distance (insert, delete, replace, swap of neighbours), when that is at most a
// third of the word's length and at least one edit is allowed; empty when nothing is near.
std::string Nearest(std::string_view word, const std::vector<std::string>& candidates);

// `; did you mean "x"?` or nothing.
std::string DidYouMean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace attune
