// What XML 1.0 cannot hold does not reach a document.
#include "api/cli/codec_bench/xml_text.h"

#include <string>

#include <gtest/gtest.h>

namespace godwit::codec_bench {
namespace {

TEST(XmlText, MarkupIsEscapedAndWordsStay) {
  EXPECT_EQ(xml_text("a<b> & \"c\""), "a&lt;b&gt; &amp; &quot;c&quot;");
  EXPECT_EQ(xml_text("gr\xC3\xB6\xC3\x9F"
                     "e \xE2\x89\xA4 \xF0\x9F\x8C\x8D"),
            "gr\xC3\xB6\xC3\x9F"
            "e \xE2\x89\xA4 \xF0\x9F\x8C\x8D");
}

TEST(XmlText, WhatIsNoCharacterIsAQuestionMark) {
  EXPECT_EQ(xml_text(std::string("a\0b\x1B[2J\x7F", 8)), "a?b?[2J?");
  EXPECT_EQ(xml_text("\xC3"), "?");                 // cut
  EXPECT_EQ(xml_text("\xC3("), "?(");               // no continuation
  EXPECT_EQ(xml_text("\x80 \xFF"), "? ?");          // no beginning
  EXPECT_EQ(xml_text("\xC0\xAF"), "??");            // longer than it must be
  EXPECT_EQ(xml_text("\xED\xA0\x80"), "???");       // a surrogate
  EXPECT_EQ(xml_text("\xEF\xBF\xBE"), "???");       // U+FFFE
  EXPECT_EQ(xml_text("\xF4\x90\x80\x80"), "????");  // beyond U+10FFFF
  EXPECT_EQ(xml_text("\xC2\x9B"), "??");            // a control character of Latin-1
}

}  // namespace
}  // namespace godwit::codec_bench
