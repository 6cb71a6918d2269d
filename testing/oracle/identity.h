// Whose a record is, and which histories become one.
//
// The rule. Records are taken in the order of the log; what a later one says changes nothing that
// an earlier one brought about.
//
// - An id is a userId, an anonymousId or a previousId; equal text is one id. Every id leads to a
//   person, at first to one of its own, who bears the id as her name.
// - A record is of the person that its userId leads to; without a userId, of the one that its
//   anonymousId leads to.
// - A person is KNOWN once a record of hers other than an alias has named a userId. (Of an event
//   whose userId and anonymousId are the same text nobody can tell; it makes nobody known.)
// - An identify with a userId and an anonymousId, and an alias with a userId and a previousId,
//   merge two people, unless both ids lead to one person already. The anonymous (or previous) id's
//   person must not be known: two people who both are known never become one, and neither does a
//   known one become somebody else. Where she is known, nothing is merged, and the record is taken
//   in as any other.
// - When two people are merged, the anonymous id's person ends: all ids that led to her lead to the
//   userId's person from then on, who keeps her name. So aliases form chains: after
//   `alias a -> b` and `alias b -> c`, events of a are c's.
// - A duplicate merges nothing. A record that merges is taken in by the person who stays.
// - A merge can be undone: the id that was merged leads to a person of its own again, with all ids
//   that led to it. Each of the two has the records of the ids that lead there now, and is known by
//   these alone. Two people of these names are never merged again, whichever of them a record names
//   first; either may be merged with another.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "oracle/record.h"

namespace attune::oracle {

class Identity {
 public:
  // The person whom an id leads to, by name.
  std::string PersonOf(const std::string& id) const;

  // Takes in a record that is no duplicate. Returns the name of the person who ends with it, if one
  // does.
  std::optional<std::string> TakeIn(const Record& record);

  // Undoes the merge of the id. Returns the person whom it led to; nullopt when it was not merged.
  // Who of the two is known is to be said with SetKnown.
  std::optional<std::string> Undo(const std::string& id);
  void SetKnown(const std::string& person, bool known);
  // Whether a record says of its person that they are known.
  static bool MakesKnown(const Record& record);

 private:
  std::map<std::string, std::string> leads_to_;  // of ids that lead to another
  std::set<std::string> known_;                  // by name
  std::set<std::pair<std::string, std::string>> apart_;  // names that a merge was undone of, both ways
};

}  // namespace attune::oracle
