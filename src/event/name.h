// Event names: all spellings of one name normalise to one form.
#pragma once

#include <string>
#include <string_view>

namespace attune {

// The snake_case form: `Product Viewed`, `productViewed`, `product-viewed`, `PRODUCT VIEWED` and `product.viewed` are
// `product_viewed`.
//
// - A word begins at a separator, at an upper-case letter after a lower-case one, and at the last letter of a run of
//   capitals that precedes a lower-case one (`HTTPError` is `http_error`). A digit belongs to the word before it and
//   counts as a capital for the next letter: `Step2Done` is `step2_done`, `v2API` is `v2api`, `3DView` is `3d_view`.
// - Separators are all ASCII characters except letters and digits, control characters, and the punctuation and spaces
//   of Latin-1, General Punctuation and CJK. A run of them is one underscore; leading and trailing ones are removed.
// - All other characters are kept, capitals as lower-case letters.
//
// Empty when the name has only separators. Normalising twice changes nothing. `name` is UTF-8; invalid bytes count as
// separators.
std::string NormaliseEventName(std::string_view name);

// The same into `out`, whose memory is reused.
void NormaliseEventName(std::string_view name, std::string* out);

}  // namespace attune
