// An expression as a tree of text, so that a failing one can be made smaller without knowing what
// it means.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace attune::oracle {

struct Term {
  // What may stand in its place: another of the same sort, or a literal where there is one.
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
    kOptional,  // what may as well be left out
    kFixed,
  };
  Sort sort = Sort::kFixed;
  std::string pattern;  // each $ is one of the parts; without parts, taken as it is
  std::vector<Term> parts;
};

std::string ToText(const Term& term);

// Puts `with` wherever the term is the name alone.
void Replace(const std::string& name, const Term& with, Term* term);

// Every tree that is a little smaller: with one of its terms replaced by a term of the same sort
// from further down, or by the simplest of its sort. Largest cuts first.
std::vector<Term> Simpler(const Term& term);

}  // namespace attune::oracle
