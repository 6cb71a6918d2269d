// An expression as a tree of text, so that a failing one can be shrunk without knowing its meaning.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace attune::oracle {

struct Term {
  // What may replace the term: another one of the same sort, or a literal if there is one.
  enum class Sort {
    kBool,
    kNumber,
    kDuration,
    kTime,
    kValue,
    kFilter,
    kSelector,
    kWindow,
    kSteps,     // of a sequence
    kOptional,  // may be omitted
    kFixed,
  };
  Sort sort = Sort::kFixed;
  std::string pattern;  // each $ is replaced by one of the parts; used as it is if there are no parts
  std::vector<Term> parts;
};

std::string ToText(const Term& term);

// Inserts `with` wherever the term is only the name.
void Replace(const std::string& name, const Term& with, Term* term);

// Every slightly smaller tree: with one of its terms replaced by a descendant of the same sort, or by the simplest term
// of its sort. Largest cuts first.
std::vector<Term> Simpler(const Term& term);

}  // namespace attune::oracle
