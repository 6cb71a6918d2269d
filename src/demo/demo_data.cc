#include "demo/demo_data.h"

#include <charconv>

#include "base/check.h"
#include "base/json.h"
#include "demo/demo_files.h"

namespace attune {
namespace {

// Removes the text up to the separator, and the separator, from the front and returns the text.
std::string_view TakeUntil(char separator, std::string_view* text) {
  const size_t at = std::min(text->find(separator), text->size());
  const std::string_view taken = text->substr(0, at);
  text->remove_prefix(std::min(at + 1, text->size()));
  return taken;
}

std::vector<std::string_view> Split(std::string_view line, char separator) {
  std::vector<std::string_view> cells;
  while (!line.empty()) cells.push_back(TakeUntil(separator, &line));
  return cells;
}

Millis ReadInstant(std::string_view digits) {
  Millis at = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), at);
  ATTUNE_CHECK(error == std::errc() && end == digits.data() + digits.size(),
               "otto.txt gives its times in milliseconds");
  return at;
}

void AppendMember(std::string_view name, std::string_view text, std::string* out) {
  if (!out->empty()) *out += ',';
  AppendJsonString(name, out);
  *out += ':';
  AppendJsonString(text, out);
}

// `json` is a number, true or false.
void AppendLiteral(std::string_view name, std::string_view json, std::string* out) {
  *out += ',';
  AppendJsonString(name, out);
  out->append(":").append(json);
}

std::string_view EventOf(std::string_view letter) {
  if (letter == "c") return "product_viewed";
  if (letter == "a") return "add_to_cart";
  ATTUNE_CHECK(letter == "o", "otto.txt has clicks, carts and orders");
  return "purchase";
}

}  // namespace

DemoData::DemoData(std::string_view products_csv, std::string_view codes_csv, std::string_view sessions,
                   std::string_view otto) {
  ReadCodes(codes_csv);
  ReadProducts(products_csv);
  ReadVisits(sessions);
  ReadShoppers(otto);
}

const DemoData& DemoData::Embedded() {
  static const DemoData data(DemoProductsCsv(), DemoCodesCsv(), DemoSessionsText(), DemoOttoText());
  return data;
}

void DemoData::ReadCodes(std::string_view csv) {
  TakeUntil('\n', &csv);
  while (!csv.empty()) {
    const auto cells = Split(TakeUntil('\n', &csv), ',');
    ATTUNE_CHECK(cells.size() == 3, "codes.csv has three columns");
    codes_[{cells[0], cells[1]}] = cells[2];
  }
}

std::string_view DemoData::Meaning(std::string_view field, std::string_view code) const {
  const auto found = codes_.find({field, code});
  ATTUNE_CHECK(found != codes_.end(), "codes.csv explains every code of the data");
  return found->second;
}

void DemoData::ReadProducts(std::string_view csv) {
  TakeUntil('\n', &csv);
  while (!csv.empty()) {
    auto cells = Split(TakeUntil('\n', &csv), ',');
    ATTUNE_CHECK(cells.size() == 8, "products.csv has eight columns");
    AddProduct(cells[0], cells, cells[1]);
    rows_[cells[0]] = std::move(cells);
  }
}

const DemoProduct* DemoData::AddProduct(std::string_view key, const std::vector<std::string_view>& cells,
                                        std::string_view category) {
  DemoProduct product{cells[0], ""};
  AppendMember("product_id", cells[0], &product.properties);
  AppendMember("category", Meaning("category", category), &product.properties);
  AppendMember("colour", Meaning("colour", cells[2]), &product.properties);
  AppendMember("location", Meaning("location", cells[3]), &product.properties);
  AppendMember("photography", Meaning("photography", cells[4]), &product.properties);
  AppendLiteral("price", cells[5], &product.properties);
  AppendLiteral("above_average", cells[6] == "1" ? "true" : "false", &product.properties);
  AppendLiteral("page_number", cells[7], &product.properties);
  AppendMember("shop", "eshop", &product.properties);
  return by_word_[key] = &products_.emplace_back(std::move(product));
}

const DemoProduct* DemoData::Clicked(std::string_view word) {
  const auto found = by_word_.find(word);
  if (found != by_word_.end()) return found->second;
  std::string_view category = word;
  const auto row = rows_.find(TakeUntil('/', &category));
  ATTUNE_CHECK(row != rows_.end(), "sessions.txt names products of products.csv");
  return AddProduct(word, row->second, category);
}

void DemoData::ReadVisits(std::string_view text) {
  while (!text.empty()) {
    std::string_view line = TakeUntil('\n', &text);
    const std::string_view country = TakeUntil(' ', &line);
    if (country == "@") {
      ++days_;
      continue;
    }
    ATTUNE_CHECK(days_ > 0 && !line.empty(), "a session has its day before it, and a click");
    DemoVisit& visit = visits_.emplace_back();
    visit.number = static_cast<int>(visits_.size());
    visit.day = days_ - 1;
    visit.country = Meaning("country", country);
    if (visit.country == "unidentified") visit.country = {};
    while (!line.empty()) visit.clicks.push_back(Clicked(TakeUntil(' ', &line)));
  }
}

void DemoData::ReadShoppers(std::string_view text) {
  while (!text.empty()) {
    const auto words = Split(TakeUntil('\n', &text), ' ');
    if (words[0] == "@") {
      shoppers_.emplace_back().number = words[1];
      continue;
    }
    ATTUNE_CHECK(words.size() == 3 && !shoppers_.empty(), "an event has a time, a kind, an article");
    shoppers_.back().steps.push_back({ReadInstant(words[0]), EventOf(words[1]), words[2]});
  }
}

}  // namespace attune
