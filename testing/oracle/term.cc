#include "oracle/term.h"

#include <string_view>

namespace attune::oracle {
namespace {

using Sort = Term::Sort;

std::string_view Simplest(Sort sort) {
  switch (sort) {
    case Sort::kBool: return "true";
    case Sort::kNumber: return "1";
    case Sort::kDuration: return "1s";
    case Sort::kTime: return "2026-01-01";
    case Sort::kValue: return "1";
    case Sort::kFilter: return "true";
    case Sort::kSelector: return "any";
    case Sort::kSteps:
      return "any";
    case Sort::kWindow:
    case Sort::kOptional:
    case Sort::kFixed:
      return "";
  }
  return "";
}

void SameBelow(const Term& term, Sort sort, std::vector<Term>* found) {
  for (const Term& part : term.parts) {
    if (part.sort == sort) found->push_back(part);
  }
  for (const Term& part : term.parts) SameBelow(part, sort, found);
}

}  // namespace

std::string ToText(const Term& term) {
  if (term.parts.empty()) return term.pattern;
  std::string text;
  size_t next = 0;
  for (const char c : term.pattern) {
    if (c == '$') {
      text += ToText(term.parts[next++]);
    } else {
      text += c;
    }
  }
  return text;
}

void Replace(const std::string& name, const Term& with, Term* term) {
  if (term->parts.empty() && term->pattern == name) *term = with;
  for (Term& part : term->parts) Replace(name, with, &part);
}

std::vector<Term> Simpler(const Term& term) {
  std::vector<Term> simpler;
  if (term.sort != Sort::kFixed) {
    const std::string simplest(Simplest(term.sort));
    if (ToText(term) != simplest) simpler.push_back({term.sort, simplest, {}});
    SameBelow(term, term.sort, &simpler);
  }
  for (size_t i = 0; i < term.parts.size(); ++i) {
    for (Term& part : Simpler(term.parts[i])) {
      Term copy = term;
      copy.parts[i] = std::move(part);
      simpler.push_back(std::move(copy));
    }
  }
  return simpler;
}

}  // namespace attune::oracle
