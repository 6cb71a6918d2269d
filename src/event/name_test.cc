#include "event/name.h"

#include <gtest/gtest.h>

namespace attune {
namespace {

constexpr struct {
  const char* written;
  const char* name;
} kNames[] = {
    {"add_to_cart", "add_to_cart"},
    {"addToCart", "add_to_cart"},
    {"AddToCart", "add_to_cart"},
    {"Add-to-cart", "add_to_cart"},
    {"ADD TO CART", "add_to_cart"},
    {"  Add   to--cart! ", "add_to_cart"},
    {"_add__to_cart_", "add_to_cart"},
    {"Product Viewed", "product_viewed"},
    {"product.viewed", "product_viewed"},
    {"product:viewed/now", "product_viewed_now"},
    {"$pageview", "pageview"},
    {"Step2Done", "step2_done"},
    {"step 2 done", "step_2_done"},
    {"HTTPError", "http_error"},
    {"parseHTTP", "parse_http"},
    {"HTTP2Error", "http2_error"},
    {"v2API", "v2api"},
    {"3DView", "3d_view"},
    {"S3Upload", "s3_upload"},
    {"ADD2CART", "add2cart"},
    {"iPhone15Pro", "i_phone15_pro"},
    {"A", "a"},
    {"", ""},
    {"--- ", ""},
    {"Dodaj Do Koszyka", "dodaj_do_koszyka"},
    {"ŁódźOdwiedzona", "łódź_odwiedzona"},
    {"ÉtéVu", "été_vu"},
    {"Προσθήκη ΣΤΟ Καλάθι", "προσθήκη_στο_καλάθι"},
    {"ДобавитьВКорзину", "добавить_в_корзину"},
    {"ЁЛКА", "ёлка"},
    {"ԶամբյուղումԷ", "զամբյուղում_է"},
    {"δρόμοςΜου", "δρόμος_μου"},
    {"Straße", "straße"},
    {"Thêm Vào GIỎ", "thêm_vào_giỏ"},
    {"カートに追加", "カートに追加"},
    {"カート\u3000追加", "カート_追加"},
    {"a\u00a0b\u2019c", "a_b_c"},
    {"sale \xF0\x9F\x8E\x89", "sale_\xF0\x9F\x8E\x89"},
    {"a\xFF"
     "b\xC3",
     "a_b"},
};

TEST(EventName, IsSnakeCaseHoweverItIsWritten) {
  for (const auto& [written, name] : kNames) EXPECT_EQ(NormaliseEventName(written), name) << written;
}

TEST(EventName, NormalisingTwiceChangesNothing) {
  for (const auto& [written, name] : kNames) EXPECT_EQ(NormaliseEventName(name), name) << written;
}

}  // namespace
}  // namespace attune
