// Which person a record belongs to, and which histories become one.
//
// The rule. Records are applied in the order of the log. A later record changes no effect of an earlier one.
//
// - An id is a userId, an anonymousId or a previousId; equal text is one id. Every id leads to a person, at first to a
//   person named by the id itself.
// - A record belongs to the person that its userId leads to; without a userId, to the one that its anonymousId leads
//   to.
// - A person is KNOWN once a record of the person other than an alias has named a userId. (If userId and anonymousId of
//   an event are the same text, the event makes nobody known.)
// - An identify with a userId and an anonymousId, and an alias with a userId and a previousId, merge two people, unless
//   both ids lead to one person already. The anonymous (or previous) id's person must not be known: two known people
//   never become one, and a known person never becomes another. If that person is known, nothing is merged, and the
//   record is applied as any other.
// - When two people are merged, the anonymous id's person ends. From then on all ids that led to it lead to the
//   userId's person, which keeps its name. So aliases form chains: after `alias a -> b` and `alias b -> c`, events of a
//   are c's.
// - A duplicate merges nothing. A record that merges is applied to the person that stays.
// - A merge can be undone: the id that was merged leads to its own person again, with all ids that led to it. Each of
//   the two has the records of the ids that now lead to it, and is known by these only. Two people with these names are
//   never merged again, in either direction; each may be merged with others.
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
  // The name of the person that an id leads to.
  std::string PersonOf(const std::string& id) const;

  // Applies a record that is no duplicate. Returns the name of the person that ends with it, if one does.
  std::optional<std::string> TakeIn(const Record& record);

  // Undoes the merge of the id. Returns the person that it led to; nullopt if it was not merged. The caller sets with
  // SetKnown which of the two is known.
  std::optional<std::string> Undo(const std::string& id);
  void SetKnown(const std::string& person, bool known);
  // Whether a record makes its person known.
  static bool MakesKnown(const Record& record);

 private:
  std::map<std::string, std::string> leads_to_;  // for ids that lead to another
  std::set<std::string> known_;                  // by name
  std::set<std::pair<std::string, std::string>> apart_;  // pairs whose merge was undone, in both orders
};

}  // namespace attune::oracle
