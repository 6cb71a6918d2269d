// The demo's two data sets, read from the files of examples/demo. See ATTRIBUTION.md there for
// their origin.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace attune {

struct DemoProduct {
  std::string_view id;
  // The properties of a click on the product, as the members of a JSON object without its braces.
  std::string properties;
};

// A session of the first data set: its clicks in order, without times.
struct DemoVisit {
  int number = 0;            // from 1, as in the data set
  int day = 0;               // from 0
  std::string_view country;  // empty: unknown
  std::vector<const DemoProduct*> clicks;
};

// A visitor of the second data set: all steps with their times.
struct DemoShopper {
  struct Step {
    Millis at = 0;
    std::string_view event;  // product_viewed, add_to_cart, purchase
    std::string_view article;
  };
  std::string_view number;
  std::vector<Step> steps;  // by time; never empty
};

// Views the texts it was parsed from. The embedded files are known, so a fault in them is a bug.
class DemoData {
 public:
  DemoData(std::string_view products_csv, std::string_view codes_csv, std::string_view sessions, std::string_view otto);
  DemoData(const DemoData&) = delete;  // visits point to the products
  DemoData& operator=(const DemoData&) = delete;

  // The data embedded in the binary.
  static const DemoData& Embedded();

  const std::vector<DemoVisit>& visits() const { return visits_; }  // by number, so by day too
  int days() const { return days_; }
  const std::vector<DemoShopper>& shoppers() const { return shoppers_; }

 private:
  void ReadCodes(std::string_view csv);
  void ReadProducts(std::string_view csv);
  void ReadVisits(std::string_view text);
  void ReadShoppers(std::string_view text);
  std::string_view Meaning(std::string_view field, std::string_view code) const;
  // The product of a click: `A18`, or `A18/2` where the click names another category.
  const DemoProduct* Clicked(std::string_view word);
  const DemoProduct* AddProduct(std::string_view key, const std::vector<std::string_view>& cells,
                                std::string_view category);

  std::map<std::pair<std::string_view, std::string_view>, std::string_view> codes_;
  std::map<std::string_view, std::vector<std::string_view>> rows_;  // of products.csv, by product
  std::deque<DemoProduct> products_;
  std::map<std::string_view, const DemoProduct*> by_word_;
  std::vector<DemoVisit> visits_;
  int days_ = 0;
  std::vector<DemoShopper> shoppers_;
};

}  // namespace attune
