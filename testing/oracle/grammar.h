// Random expressions of the language.
#pragma once

#include <string>
#include <vector>

#include "base/time.h"
#include "oracle/random.h"
#include "oracle/term.h"

namespace attune::oracle {

// `1500ms`, `2h`: one number and the largest unit that expresses it exactly.
std::string DurationText(Millis duration);
std::string StringText(const std::string& text);  // with quotes and escapes

// What may be drawn in addition to the basic language.
struct Features {
  bool sequences = false;    // sequence, depth, matches
  bool keys = false;         // some, top; triggers over some
  bool memberships = false;  // in_segment(…) for, entered, left
  bool consents = false;     // consent(…), and records with consents
  bool models = false;       // score, cluster: without records of models
  bool triggers = false;     // enter, leave, on, where, with, cooldown, at_most
  bool restraints = false;   // of triggers: quiet_hours, only_if, holdout, group
  bool identity = false;     // anonymous ids, and records that merge them into users

  static constexpr Features All() { return {true, true, true, true, true, true, true, true}; }
};

struct Vocabulary {
  std::vector<Millis> durations;  // for windows, gaps and constants: few, so that instants collide
  std::vector<Millis> instants;   // for literal times
  std::vector<std::string> number_metrics;  // those that may be referred to; they do not move
  std::vector<std::string> segments;
  // Also rarely used forms: moving anchors.
  bool exotic = false;
  Features features;
};

// The texts and numbers in filters and histories.
const std::vector<std::string>& Texts();
const std::vector<std::string>& NumberTexts();

// In an expression two terms that move with time are added only if both rise. The difference of two rounded ones may
// flicker from one millisecond to the next, which would test nothing about an engine.
class Grammar {
 public:
  Grammar(Random* random, const Vocabulary& vocabulary) : random_(*random), words_(vocabulary) {}

  Term Bool(int depth);
  Term Clocked();                 // a condition that changes with the plan's clock
  Term Number(int depth);         // changes only at certain instants
  Term OverNumbers();             // an aggregate of a property
  Term MovingNumber(int depth);   // may change each millisecond
  Term Duration(int depth);
  Term MovingDuration();
  Term Time(int depth);
  Term Dynamic();                 // of a type that only the data determines
  Term List();
  Term Some(int depth);  // some(k: …)
  Term Selector() { return Select().selector; }

 private:
  struct Events {
    Term selector;
    bool declared = false;  // only the event `a`, whose properties have types
  };

  Events Select(int depth = 2);
  Term Filter(int depth, bool declared);
  Term DeclaredTest();
  Term Test();
  Term Window();
  Term AnchoredWindow();
  Term Over(const std::string& function, const std::string& property, const Events& events);
  Term NumberLeaf();
  Term Compared(Term left, Term right);
  Term TextTest(Term value);
  Term Leaf(int depth);
  Term DeclaredLeaf();
  Term ListTest();
  Term DynamicTest();
  Term Literal();
  Term Sequence(const std::string& function);
  Term Membership();
  Term FeatureLeaf(int depth);

  Term DurationLiteral();
  Term NumberLiteral();
  Term TimeLiteral();
  std::string Operator();

  Random& random_;
  const Vocabulary& words_;
  bool in_key_ = false;  // within some(…) or top(…)
};

}  // namespace attune::oracle
