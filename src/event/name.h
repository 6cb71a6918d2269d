// Event names: however a client spells one, it is one name.
#pragma once

#include <string>
#include <string_view>

namespace attune {

// The snake_case form: `Product Viewed`, `productViewed`, `product-viewed`, `PRODUCT VIEWED` and `product.viewed` are
// `product_viewed`.
//
// - A word begins at a separator, at an upper-case letter after a lower-case one, and at the last letter of a run of
//   capitals that a lower-case one follows (`HTTPError` is `http_error`). A digit belongs to the word before it and
//   counts as a capital for what follows: `Step2Done` is `step2_done`, `v2API` is `v2api`, `3DView` is `3d_view`.
// - Separators are all ASCII but letters and digits, control characters, and the punctuation and spaces of Latin-1,
//   General Punctuation and CJK. A run of them is one underscore; none stands at either end.
// - All else is kept, capitals as their small letters.
//
// Empty when nothing but separators was given. Normalising twice changes nothing. `name` is UTF-8; bytes that are not
// count as separators.
std::string NormaliseEventName(std::string_view name);

// The same into `out`, whose memory is used again.
void NormaliseEventName(std::string_view name, std::string* out);

}  // namespace attune
