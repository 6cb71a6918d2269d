// The first page, as it is served at `/`, `/app.js` and `/app.css`; its sources are in web/page. It
// loads nothing else and holds no inline script or style, so that it may be served under
// `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src
// 'self'`.
#pragma once

#include <string_view>

namespace attune {

std::string_view PageHtml();
std::string_view PageJs();
std::string_view PageCss();

}  // namespace attune
